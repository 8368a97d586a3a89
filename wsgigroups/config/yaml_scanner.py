"""ruamel.yaml's scanner and reader, several times faster for what configurations are made of, and with a budget. Pure.

The same tokens at the same places come out; `tests/unit/config/test_yaml_scanner.py` compares them. What is faster:
whether the next token is known is decided once for each token, blank space and comments are skipped and plain words
taken by regular expressions, and marks know places only. What is left to ruamel.yaml goes one character at a time, so
a file could keep it busy for very long; the budget ends that.
"""

from __future__ import annotations

import re
from typing import Any

from ruamel.yaml import YAML, tokens
from ruamel.yaml.error import StreamMark
from ruamel.yaml.events import ScalarEvent
from ruamel.yaml.parser import Parser
from ruamel.yaml.reader import Reader
from ruamel.yaml.scanner import Scanner

MAXIMUM_STEPS = 250_000  # of the reader; a configuration of a thousand groups takes about 40,000

_END = "\0 \t\r\n\x85\u2028\u2029"
# groups are repeated a bounded number of times: each repetition costs memory until the whole has matched
_BLANK = re.compile("(?: *(?:#[^\0\r\n\x85\u2028\u2029]*)?\n){0,1000} *")
_WORD = re.compile(f"[^{_END}:]*(?::(?![{_END}])[^{_END}:]*){{0,1000}}")
_FLOW_WORD = re.compile(f"[^{_END}:,\\[\\]{{}}]*(?::(?![{_END}])[^{_END}:,\\[\\]{{}}]*){{0,1000}}")
_LINE_END = re.compile("\n *(?![ \r\n\x85\u2028\u2029])")
_PAIR = re.compile(
    "([A-Za-z0-9][A-Za-z0-9_.-]{0,99}): {1,8}([A-Za-z0-9_/.][A-Za-z0-9_/.@+-]*(?::[A-Za-z0-9_/.@+-]+){0,20})"
    "\n *(?![ \r\n\x85\u2028\u2029#])(?!---|[.]{3})"
)
_NO_NODE = (tokens.KeyToken, tokens.ValueToken, tokens.BlockEndToken)
_MARK = "\ufeff"  # takes no column


class BudgetError(Exception):
    """The text takes too many steps. index: how far the reader came."""

    def __init__(self, index: int) -> None:
        super().__init__(index)
        self.index = index


class FastReader(Reader):
    """Reads text; knows how many steps it took."""

    steps = 0

    def forward(self, length: int = 1) -> None:
        """Go on by that many characters."""
        self.steps += 1
        if self.steps > MAXIMUM_STEPS:
            raise BudgetError(self.index)
        start = self.pointer
        piece = self.buffer[start : start + length]
        if "\n" in piece or "\r" in piece or _MARK in piece:
            super().forward(length)
            return
        self.pointer = start + length
        self.index += length
        self.column += length

    def jump(self, end: int) -> str:
        """Go on to a place in the buffer, and return what lies between; of line ends, only newlines may."""
        self.steps += 1
        if self.steps > MAXIMUM_STEPS:
            raise BudgetError(self.index)
        piece: str = self.buffer[self.pointer : end]
        lines = piece.count("\n")
        if lines:
            self.line += lines
            self.column = -(piece.rfind("\n") + 1)
        self.column += len(piece)
        if _MARK in piece:
            self.column -= piece.count(_MARK, piece.rfind("\n") + 1)
        self.index += len(piece)
        self.pointer = end
        return piece

    def get_mark(self) -> Any:
        """The place without the text around it: that is ours to show."""
        return StreamMark(None, self.index, self.line, self.column)


class FastScanner(Scanner):
    """Scans text to tokens."""

    reader: Any = None  # in place of a property that looks it up at every use

    def __init__(self, loader: Any = None) -> None:
        self.reader = loader.reader
        self._known = False  # whether the next token is settled
        super().__init__(loader)

    def _settle(self) -> None:
        while self.need_more_tokens():
            self.fetch_more_tokens()
        self._known = True

    def check_token(self, *choices: Any) -> bool:
        """Whether the next token is one of these kinds."""
        if not self._known:
            self._settle()
        return bool(self.tokens) and (not choices or isinstance(self.tokens[0], choices))

    def peek_token(self) -> Any:
        """The next token, which stays."""
        if not self._known:
            self._settle()
        return self.tokens[0] if self.tokens else None

    def get_token(self) -> Any:
        """Take the next token."""
        if not self._known:
            self._settle()
        self._known = False
        if not self.tokens:
            return None
        self.tokens_taken += 1
        return self.tokens.pop(0)

    def need_more_tokens(self) -> bool:
        """Whether the next token is not known yet: it may be a key, which only a colon behind it shows."""
        if self.done:
            return False
        if not self.tokens:
            return True
        if not self.possible_simple_keys:
            return False
        self.stale_possible_simple_keys()
        return bool(self.next_possible_simple_key() == self.tokens_taken)

    @property
    def scanner_processing_version(self) -> Any:
        """1.2, unless the document says otherwise."""
        return self.yaml_version or (1, 2)

    def fetch_more_tokens(self) -> Any:
        """Add tokens; a letter or digit always begins a plain scalar."""
        self.scan_to_next_token()
        self.stale_possible_simple_keys()
        self.unwind_indent(self.reader.column)
        if not self.reader.buffer[self.reader.pointer].isalnum():
            return super().fetch_more_tokens()
        if self.flow_context or not self.allow_simple_key or not self._fetch_pair():
            self.fetch_plain()
        return None

    def _fetch_pair(self) -> bool:
        """Add the tokens of `key: word` on a line of its own, which most lines are; tell whether it was one.

        Not where the next line could belong to the word, nor where anything but plain characters is in the way.
        """
        reader = self.reader
        found = _PAIR.match(reader.buffer, reader.pointer)
        if not found or (found.end() - found.end(2) > reader.column + 1) or self.yaml_version:
            return False
        self.remove_possible_simple_key()
        key_mark = reader.get_mark()
        if self.add_indent(key_mark.column):
            self.tokens.append(tokens.BlockMappingStartToken(key_mark, key_mark))
        self.tokens.append(tokens.KeyToken(key_mark, key_mark))
        reader.jump(found.end(1))
        colon_mark = reader.get_mark()
        self.tokens.append(tokens.ScalarToken(found[1], True, key_mark, colon_mark))
        reader.jump(found.end(1) + 1)
        self.tokens.append(tokens.ValueToken(colon_mark, reader.get_mark()))
        reader.jump(found.start(2))
        start_mark = reader.get_mark()
        reader.jump(found.end(2))
        self.tokens.append(tokens.ScalarToken(found[2], True, start_mark, reader.get_mark()))
        reader.jump(found.end())
        self.allow_simple_key = True
        return True

    def scan_to_next_token(self) -> Any:
        """Skip blank space, line ends and comments."""
        reader = self.reader
        while (found := _BLANK.match(reader.buffer, reader.pointer)) and found.end() > reader.pointer:
            if "\n" in reader.jump(found.end()) and not self.flow_context:
                self.allow_simple_key = True
        if reader.buffer[reader.pointer] in "#\t\r\x85\u2028\u2029\ufeff":
            return super().scan_to_next_token()
        return None

    def scan_plain(self) -> Any:
        """Take a plain scalar: words, and what is between them."""
        if self.scanner_processing_version == (1, 1):
            return super().scan_plain()
        reader = self.reader
        start_mark = end_mark = reader.get_mark()
        pattern = _FLOW_WORD if self.flow_context else _WORD
        indent = self.indent + 1
        chunks: list[str] = []
        spaces: list[str] = []
        while reader.buffer[reader.pointer] != "#":
            end = begin = reader.pointer
            while (found := pattern.match(reader.buffer, end)) and found.end() > end:
                end = found.end()
            if end == begin:
                break
            self.allow_simple_key = False
            chunks += spaces
            chunks.append(reader.jump(end))
            end_mark = reader.get_mark()
            if reader.buffer[end] not in " \r\n\x85\u2028\u2029":
                break
            found = _LINE_END.match(reader.buffer, end)
            if found and not reader.buffer.startswith(("---", "..."), end + 1):
                reader.jump(found.end())
                self.allow_simple_key = True
                spaces = [" "]
            else:
                spaces = self.scan_plain_spaces(indent, start_mark) or []
            if not spaces or (not self.flow_context and reader.column < indent):
                break
        return tokens.ScalarToken("".join(chunks), True, start_mark, end_mark)


class FastParser(Parser):
    """Makes events of tokens."""

    scanner: Any = None  # likewise

    def __init__(self, loader: Any) -> None:
        self.scanner = loader.scanner
        super().__init__(loader)

    def parse_block_mapping_key(self) -> Any:
        """Begin the next pair of a block mapping."""
        if not isinstance(self.scanner.peek_token(), tokens.KeyToken):
            return super().parse_block_mapping_key()
        mark = self.scanner.get_token().end_mark
        return self._pair(self.parse_block_mapping_value, mark)

    def parse_block_mapping_value(self) -> Any:
        """Go on with what stands behind its colon."""
        if not isinstance(self.scanner.peek_token(), tokens.ValueToken):
            return super().parse_block_mapping_value()
        self.scanner.get_token()
        return self._pair(self.parse_block_mapping_key, self.scanner.peek_token().end_mark)

    def _pair(self, following: Any, mark: Any) -> Any:
        if isinstance(self.scanner.peek_token(), _NO_NODE):
            self.state = following
            return self.process_empty_scalar(mark)
        self.states.append(following)
        return self.parse_node(block=True, indentless_sequence=True)

    def parse_node(self, block: bool = False, indentless_sequence: bool = False) -> Any:
        """Make the event of a value; most are scalars without anchor and tag."""
        token = self.scanner.peek_token()
        if not isinstance(token, tokens.ScalarToken):
            return super().parse_node(block, indentless_sequence)
        self.scanner.get_token()
        self.state = self.states.pop()
        implicit = (True, False) if token.plain else (False, True)
        return ScalarEvent(None, None, implicit, token.value, token.start_mark, token.end_mark, style=token.style)


def make_reader() -> YAML:
    """A reader of YAML that uses all of this."""
    reader = YAML(typ="safe", pure=True)
    reader.Reader, reader.Scanner, reader.Parser = FastReader, FastScanner, FastParser
    return reader
