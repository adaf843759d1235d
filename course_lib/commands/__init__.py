"""The command line, one file a command. Nothing that another room could use."""
