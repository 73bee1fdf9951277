"""Writes docs/events.md from the comments and options in proto/, and the examples in docs/examples/events.jsonl.

`events_doc.py` writes the file; `events_doc.py --check` only says, by its exit status, whether it is up to date.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    EnumDescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
    FileDescriptorSet,
)
from touchline.common.v1 import rules_pb2

from services.runtime.topics import TOUCHPOINT_EVENTS

ROOT = Path(__file__).resolve().parents[1]
PROTO = ROOT / "proto"
TARGET = ROOT / "docs" / "events.md"
EXAMPLES = ROOT / "docs" / "examples" / "events.jsonl"

# Field numbers in descriptor.proto: the paths under which protoc keeps the comments.
_MESSAGE, _ENUM, _FIELD, _VALUE = 4, 5, 2, 2
_SCALARS = {
    FieldDescriptorProto.TYPE_STRING: "text",
    FieldDescriptorProto.TYPE_BOOL: "true or false",
    FieldDescriptorProto.TYPE_INT32: "whole number",
    FieldDescriptorProto.TYPE_UINT32: "whole number",
    FieldDescriptorProto.TYPE_INT64: "64-bit whole number (text or number)",
    FieldDescriptorProto.TYPE_UINT64: "64-bit whole number (text or number)",
    FieldDescriptorProto.TYPE_DOUBLE: "number",
    FieldDescriptorProto.TYPE_FLOAT: "number",
    FieldDescriptorProto.TYPE_BYTES: "base64",
}
_TIMESTAMP = ".google.protobuf.Timestamp"
_EMITTERS = {"metrics": "every service that counts"}
_HEAD = """\
# Events

<!-- Written by scripts/events_doc.py from proto/ and docs/examples/events.jsonl: change those, not this page. -->

Every event is a [CloudEvents 1.0](integrator.md) event: `source` and `id` name it, `type` says what it is, `subject` is
the customer (for seat events the seat), `time` is when it happened. Its data is protobuf (`application/protobuf`) or the
proto3 JSON mapping of it (`application/json`); the tables below give the JSON names. On Kafka the attributes are headers
(`ce_id`, `ce_source`, …) and the record's key is what the table says.

A field that is not required may be left out. A key or value of a map and an item of a list may have 200 characters; other
texts without a rule may be as long as an event's size allows. Data with a field that a type doesn't have is refused.
"""


@dataclass(frozen=True)
class Part:
    """A message or enum: its name in full (with a leading dot), its descriptor, its comment, and those of its fields or values."""

    full_name: str
    package: str
    descriptor: DescriptorProto | EnumDescriptorProto
    comment: str
    inner: tuple[str, ...]

    @property
    def anchor(self) -> str:
        return self.full_name.strip(".").replace(".", "").lower()


def described() -> FileDescriptorSet:
    """All of proto/, compiled with its comments."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "set.binpb"
        files = sorted(str(p.relative_to(PROTO)) for p in PROTO.rglob("*.proto"))
        arguments = [f"--proto_path={PROTO}", "--include_source_info", f"--descriptor_set_out={out}", *files]
        subprocess.run([sys.executable, "-m", "grpc_tools.protoc", *arguments], check=True)
        return FileDescriptorSet.FromString(out.read_bytes())


def _parts(file: FileDescriptorProto) -> Iterator[Part]:
    told = {tuple(at.path): " ".join(at.leading_comments.split()) for at in file.source_code_info.location}
    for i, message in enumerate(file.message_type):
        inner = tuple(told.get((_MESSAGE, i, _FIELD, j), "") for j in range(len(message.field)))
        yield Part(f".{file.package}.{message.name}", file.package, message, told.get((_MESSAGE, i), ""), inner)
    for i, enum in enumerate(file.enum_type):
        inner = tuple(told.get((_ENUM, i, _VALUE, j), "") for j in range(len(enum.value)))
        yield Part(f".{file.package}.{enum.name}", file.package, enum, told.get((_ENUM, i), ""), inner)


def _event_rules(part: Part) -> rules_pb2.EventRules | None:
    if isinstance(part.descriptor, DescriptorProto) and part.descriptor.options.HasExtension(rules_pb2.event):
        return part.descriptor.options.Extensions[rules_pb2.event]
    return None


def event_type(part: Part) -> str:
    """The CloudEvents type: `touchline.survey.v1` and SurveyAnswered give `touchline.survey.SurveyAnswered.v1`."""
    area, _, version = part.package.rpartition(".")
    return f"{area}.{part.descriptor.name}.{version}"


def _map_entry(field: FieldDescriptorProto, owner: Part) -> DescriptorProto | None:
    for nested in owner.descriptor.nested_type if isinstance(owner.descriptor, DescriptorProto) else ():
        if nested.options.map_entry and field.type_name == f"{owner.full_name}.{nested.name}":
            return nested
    return None


def _type(field: FieldDescriptorProto, owner: Part, parts: dict[str, Part]) -> str:
    entry = _map_entry(field, owner)
    if entry is not None:
        return f"object: {_single(entry.field[0], parts)} → {_single(entry.field[1], parts)}"
    single = _single(field, parts)
    return f"list of {single}" if field.label == FieldDescriptorProto.LABEL_REPEATED else single


def _single(field: FieldDescriptorProto, parts: dict[str, Part]) -> str:
    if field.type_name == _TIMESTAMP:
        return "time (RFC 3339)"
    if field.type_name:
        part = parts[field.type_name]
        return f"[{part.descriptor.name}](#{part.anchor})"
    return _SCALARS[field.type]


def _number(value: float) -> str:
    return f"{value:g}".replace("-", "−")


def _rule(field: FieldDescriptorProto) -> str:
    rules = field.options.Extensions[rules_pb2.field]
    found = ["required"] if rules.required else []
    if rules.HasField("min") and rules.HasField("max"):
        found.append(f"{_number(rules.min)} to {_number(rules.max)}")
    elif rules.HasField("min"):
        found.append(f"at least {_number(rules.min)}")
    elif rules.HasField("max"):
        found.append(f"at most {_number(rules.max)}")
    if rules.HasField("max_len"):
        unit = "entries" if field.label == FieldDescriptorProto.LABEL_REPEATED else "characters"
        found.append(f"at most {_number(rules.max_len)} {unit}")
    return ", ".join(found)


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _table(part: Part, parts: dict[str, Part]) -> Iterator[str]:
    descriptor = part.descriptor
    if isinstance(descriptor, EnumDescriptorProto):
        yield from ("| value | meaning |", "|---|---|")
        for value, comment in zip(descriptor.value, part.inner, strict=True):
            yield f"| `{value.name}` | {_cell(comment)} |"
        return
    yield from ("| field | type | meaning | rule |", "|---|---|---|---|")
    for field, comment in zip(descriptor.field, part.inner, strict=True):
        yield f"| `{field.json_name}` | {_type(field, part, parts)} | {_cell(comment)} | {_rule(field)} |"


def _used(part: Part, parts: dict[str, Part]) -> Iterator[Part]:
    """The messages and enums that a message's fields are made of, and theirs."""
    if not isinstance(part.descriptor, DescriptorProto):
        return
    fields = [*part.descriptor.field, *(f for nested in part.descriptor.nested_type for f in nested.field)]
    for field in fields:
        inner = parts.get(field.type_name)
        if inner is not None:
            yield inner
            yield from _used(inner, parts)


def _event(
    part: Part, rules: rules_pb2.EventRules, parts: dict[str, Part], example: dict[str, Any] | None
) -> Iterator[str]:
    area = part.package.split(".")[1]
    emitter = f"Touchline: {_EMITTERS.get(area, f'the {area} service')}" if rules.internal else "a channel"
    key = f"`{rules.key_field}` of the data" if rules.key_field else "the subject"
    yield from (f"### {part.descriptor.name}", "", f"`{event_type(part)}`", "", part.comment, "")
    yield f"Emitted by: {emitter} · topic: `{rules.topic or TOUCHPOINT_EVENTS}` · key: {key}"
    yield from ("", *_table(part, parts), "")
    if example is not None:
        yield from ("```json", json.dumps(example, ensure_ascii=False, indent=2), "```", "")


def examples() -> dict[str, dict[str, Any]]:
    """The examples, by CloudEvents type. Raises ValueError where a type has two."""
    found: dict[str, dict[str, Any]] = {}
    for line in EXAMPLES.read_text("utf-8").splitlines():
        one = json.loads(line)
        if one["type"] in found:
            raise ValueError(f"{EXAMPLES.name}: two examples of {one['type']}")
        found[one["type"]] = one
    return found


def page(files: Iterable[FileDescriptorProto]) -> str:
    """The whole page."""
    parts = {part.full_name: part for file in files for part in _parts(file)}
    events = [(part, rules) for part in parts.values() if (rules := _event_rules(part)) is not None]
    shown = examples()
    lines = [_HEAD]
    for title, internal in (("Events that channels send", False), ("Facts that Touchline publishes", True)):
        listed = [(part, rules) for part, rules in events if rules.internal == internal]
        lines += [f"## {title}", "", "| event | topic | meaning |", "|---|---|---|"]
        for part, rules in listed:
            name = part.descriptor.name
            lines.append(
                f"| [{name}](#{name.lower()}) | `{rules.topic or TOUCHPOINT_EVENTS}` | {_cell(part.comment)} |"
            )
        lines.append("")
        for part, rules in listed:
            lines += _event(part, rules, parts, shown.get(event_type(part)))
    lines += ["## Parts of events", ""]
    used = {inner.full_name: inner for one, _ in events for inner in _used(one, parts)}
    for name, inner in used.items():
        lines += [
            f'### <a id="{inner.anchor}"></a>{inner.descriptor.name}',
            "",
            f"`{name.strip('.')}`",
            "",
            inner.comment,
            "",
        ]
        lines += [*_table(inner, parts), ""]
    return "\n".join(lines).rstrip() + "\n"


def main() -> int:
    text = page(described().file)
    if "--check" in sys.argv[1:]:
        fresh = TARGET.exists() and TARGET.read_text("utf-8") == text
        if not fresh:
            print(f"{TARGET.relative_to(ROOT)} is out of date: run scripts/events_doc.py", file=sys.stderr)
        return 0 if fresh else 1
    TARGET.write_text(text, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
