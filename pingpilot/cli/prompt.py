"""A prompt on a terminal that other output goes on above: with line editing and a history."""

import asyncio
import readline
import sys
import termios
import threading
from collections.abc import AsyncGenerator
from contextlib import suppress
from pathlib import Path

import typer

_PROMPT = "pingpilot> "
_CLEAR_LINE = "\r\x1b[K"
_LINES_KEPT = 500


class Prompt:
    """Reads lines from the terminal without holding up the loop; what is printed meanwhile stands above it.

    A thread waits for a line, since readline blocks. It is never joined: nothing can wake it, and at the end
    of the process it is gone.
    """

    def __init__(self, *, history: Path) -> None:
        self._history = history
        self._is_waiting = False
        self._carried_out = threading.Event()

    def write(self, text: str) -> None:
        """Print a line, or several, above what is being typed. Also makes this a stream for logging."""
        if not self._is_waiting:
            typer.echo(text.removesuffix("\n"))
            return
        typed = readline.get_line_buffer()
        sys.stdout.write(f"{_CLEAR_LINE}{text.removesuffix(chr(10))}\n{_PROMPT}{typed}")
        sys.stdout.flush()

    def flush(self) -> None:
        """Nothing is held back."""

    async def lines(self) -> AsyncGenerator[str, None]:
        """Yield each line that is typed, until the input ends; the next is asked for after the last."""
        loop, typed = asyncio.get_running_loop(), asyncio.Queue[str | None]()
        before = termios.tcgetattr(sys.stdin.fileno())
        readline.parse_and_bind("set enable-bracketed-paste off")  # nobody would switch it off at the end
        with suppress(OSError):
            readline.read_history_file(self._history)
        threading.Thread(target=self._read, args=(loop, typed), name="prompt", daemon=True).start()
        try:
            while (line := await typed.get()) is not None:
                yield line
                readline.set_history_length(_LINES_KEPT)
                with suppress(OSError):
                    readline.write_history_file(self._history)
                self._carried_out.set()
        finally:
            if self._is_waiting:
                sys.stdout.write("\n")
            self._is_waiting = False
            termios.tcsetattr(sys.stdin.fileno(), termios.TCSADRAIN, before)  # readline's own is another

    def _read(self, loop: asyncio.AbstractEventLoop, typed: asyncio.Queue[str | None]) -> None:
        line: str | None = ""
        while line is not None:
            self._carried_out.clear()
            self._is_waiting = True
            try:
                line = input(_PROMPT).strip()
            except EOFError:
                line = None
            self._is_waiting = False
            with suppress(RuntimeError):  # the loop is closed: the process ends
                loop.call_soon_threadsafe(typed.put_nowait, line)
            if line is not None:
                self._carried_out.wait()
