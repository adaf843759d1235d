import js from "@eslint/js";
import globals from "globals";

export default [
  { ignores: ["book/"] },
  js.configs.recommended,
  {
    languageOptions: { ecmaVersion: 2024, sourceType: "module" },
    rules: {
      eqeqeq: "error",
      "no-shadow": "off",
      "no-var": "error",
      "object-shorthand": "error",
      "prefer-const": "error",
    },
  },
  { files: ["live/**"], languageOptions: { globals: globals.browser } },
  { files: ["live/worker.js"], languageOptions: { globals: globals.worker } },
  { files: ["tests/**", "*.js", "*.mjs"], languageOptions: { globals: globals.node } },
];
