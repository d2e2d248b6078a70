"""Section 12 of spec/archive.md: bytes of the minimal archive, field by field."""

from archive_bytes import tag
from archive_writer import Fields, Writer

START, END = "## 12. Worked bytes\n", "## Changes\n"


def block(fields: Fields) -> str:
    lines, offset = ["```text"], 0
    for name, value in fields:
        if not value:
            continue
        pieces = [value[i:i + 32].hex() for i in range(0, len(value), 32)]
        lines.append(f"{offset:4}  {pieces[0]}  {name}")
        lines += [f"      {piece}" for piece in pieces[1:]]
        offset += len(value)
    return "\n".join([*lines, "```"])


def section(writer: Writer) -> str:
    hashes = [each.hex() for each in writer.record_hashes]
    fields = writer.fields
    codec = fields["recordpayload.2"][:1]
    frames = [each for i in range(2) for each in [
        *fields[f"frame.0.{i}"], *fields[f"frame.0.{i}."], *fields[f"frame.0.{i}.."]]]
    return f"""{START}
`testvectors/archive/valid/minimal.pol`: three data points, no ledger, one segment of one step. Offset, bytes, field.

Record 0, the opening; its record hash is `{hashes[0]}`:

{block([*fields["header.0"], *fields["record.0"]])}

The run seed is `{writer.run_seed().hex()}`. Record 1 has the record hash
`{hashes[1]}`.
Record 2, the state after step 1; two weights are one chunk, the optimizer's tensor is another. Its record hash is
`{hashes[2]}`:

{block([*fields["header.2"], *fields["record.2"]])}

The file `records` begins with

{block(fields["records"])}

Its third frame, at {writer.rows[2][0]}, is this, the {len(writer.record_bytes[2])} bytes of record 2, and an envelope; all is stored, nothing compressed:

{block([*fields["recordframe.2"], *fields["recordframe.2."], *codec])}

The envelope: two rows, no ancestors.

{block(fields["envelope.2"])}

`packs/00000000.pack` begins with the two chunks of record 1. The second is an LZ4 block of 256 zero bytes:

{block([*fields["pack.0"], *frames])}

Its index:

{block([*fields["index.0"], *fields["index.0."]])}

The archive root over the three record hashes is `{writer.archive_root.hex()}`.
The seal; its seal digest is `{tag("seal-digest", writer.files["seal"]).hex()}`:

{block(fields["seal"])}

"""


def replaced(spec: str, writer: Writer) -> str:
    """The document with this section before "Changes", in place of an older one."""
    head, _, rest = spec.partition(END)
    return head.partition(START)[0] + section(writer) + END + rest
