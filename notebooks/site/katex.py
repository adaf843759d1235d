"""Formulas as HTML, set by KaTeX (formulas.mjs) while pages are built, so that these ask nobody for anything."""

import json
import subprocess


class Katex:
    """A process that sets one formula after another; begun with the first."""

    def __init__(self, script: str):
        self.script, self.process = script, None

    def set(self, tex: str, display: bool) -> str:
        """A formula as HTML, with MathML for screen readers; ValueError for one that KaTeX cannot set."""
        if self.process is None:
            self.process = subprocess.Popen(
                ["node", self.script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8"
            )
        print(json.dumps({"tex": tex, "display": display}), file=self.process.stdin, flush=True)
        answer = json.loads(self.process.stdout.readline() or '{"error": "KaTeX has ended: run `make site` again"}')
        if "error" in answer:
            raise ValueError(answer["error"])
        return answer["html"]

    def close(self) -> None:
        if self.process:
            self.process.stdin.close()
            self.process.stdout.close()
            self.process.wait()
