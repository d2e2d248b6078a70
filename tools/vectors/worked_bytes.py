"""Section 12 of spec/archive.md: bytes of the minimal archive, field by field."""

from archive_writer import Writer, tag

START, END = "## 12. Worked bytes\n", "## Changes\n"


def block(writer: Writer, paths: list[str]) -> str:
    rows, offset = [], 0
    for path in paths:
        for name, value in writer.fields[path]:
            if value:
                rows.append((offset, value, name))
                offset += len(value)
    lines = ["```text"]
    for offset, value, name in rows:
        pieces = [value[i:i + 32].hex() for i in range(0, len(value), 32)]
        lines.append(f"{offset:4}  {pieces[0]}  {name}")
        lines += [f"      {piece}" for piece in pieces[1:]]
    return "\n".join([*lines, "```"])


def section(writer: Writer) -> str:
    hashes = [each.hex() for each in writer.record_hashes]
    return f"""{START}
`testvectors/archive/valid/minimal.pol`: three data points, no ledger, one segment of one step. Offset, bytes, field.

Record 0, the opening; its record hash is `{hashes[0]}`:

{block(writer, ["header.0", "record.0"])}

The run seed is `{writer.run_seed().hex()}`. Record 1 has the record hash
`{hashes[1]}`.
Record 2, the state after step 1; two weights are one chunk, the optimizer's tensor is another. Its record hash is
`{hashes[2]}`:

{block(writer, ["header.2", "record.2"])}

The archive root over the three record hashes is `{writer.archive_root.hex()}`.
The seal; its seal digest is `{tag("seal-digest", writer.files["seal"]).hex()}`:

{block(writer, ["seal"])}

"""


def replaced(spec: str, writer: Writer) -> str:
    """The document with this section before "Changes", in place of an older one."""
    head, _, rest = spec.partition(END)
    return head.partition(START)[0] + section(writer) + END + rest
