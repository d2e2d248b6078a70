// Command go-ledger-check verifies a ledger folder with Go's own transparency-log packages, which
// share no code with this project: the signed head with its vkey, every entry's hash, every tile's
// bytes, and an inclusion proof for every entry. Cosigners whose verifier keys are given must have
// cosigned the head.
//
// x/mod's tile paths are those of the Go checksum database, so the paths and the reader of hashes
// are written here, from C2SP tlog-tiles.
package main

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

const width = 256

// levels[l] holds the hashes that the tiles of level l hold, in order.
type tiles struct{ levels [][]tlog.Hash }

// ReadHashes implements tlog.HashReader. A hash between two tile levels is computed from the tile
// below it.
func (t tiles) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	var out []tlog.Hash
	for _, index := range indexes {
		level, n := tlog.SplitStoredHashIndex(index)
		base, height := level/8, level%8
		start, count := n<<uint(height), int64(1)<<uint(height)
		if base >= len(t.levels) || start+count > int64(len(t.levels[base])) {
			return nil, fmt.Errorf("no tile holds hash %d of level %d", n, level)
		}
		out = append(out, subtree(t.levels[base][start:start+count]))
	}
	return out, nil
}

// subtree hashes a complete subtree, whose leaves are a power of two in number.
func subtree(leaves []tlog.Hash) tlog.Hash {
	if len(leaves) == 1 {
		return leaves[0]
	}
	middle := len(leaves) / 2
	return tlog.NodeHash(subtree(leaves[:middle]), subtree(leaves[middle:]))
}

func tilePath(kind string, n, hashCount int64) string {
	path := fmt.Sprintf("%03d", n%1000)
	for n /= 1000; n > 0; n /= 1000 {
		path = fmt.Sprintf("x%03d/%s", n%1000, path)
	}
	path = "tile/" + kind + "/" + path
	if partial := hashCount % width; partial != 0 {
		path += ".p/" + strconv.FormatInt(partial, 10)
	}
	return path
}

// A cosigner verifies the lines of C2SP tlog-cosignature, of which x/mod knows nothing: it is written
// here, from that document.
type cosigner struct {
	name string
	hash uint32
	key  ed25519.PublicKey
}

func newCosigner(vkey string) (*cosigner, error) {
	parts := strings.SplitN(vkey, "+", 3)
	if len(parts) != 3 {
		return nil, fmt.Errorf("%s: not a verifier key", vkey)
	}
	material, err := base64.StdEncoding.DecodeString(parts[2])
	if err != nil || len(material) != 1+ed25519.PublicKeySize || material[0] != 4 {
		return nil, fmt.Errorf("%s: not a key of type 4", vkey)
	}
	id := sha256.Sum256(append([]byte(parts[0]+"\n"), material...))
	if fmt.Sprintf("%x", id[:4]) != parts[1] {
		return nil, fmt.Errorf("%s: the key ID is another's", vkey)
	}
	return &cosigner{parts[0], binary.BigEndian.Uint32(id[:4]), material[1:]}, nil
}

func (c *cosigner) Name() string    { return c.name }
func (c *cosigner) KeyHash() uint32 { return c.hash }
func (c *cosigner) Verify(text, sig []byte) bool {
	if len(sig) != 8+ed25519.SignatureSize {
		return false
	}
	time := binary.BigEndian.Uint64(sig)
	message := fmt.Sprintf("cosignature/v1\ntime %d\n%s", time, text)
	return time > 0 && time < 1<<63 && ed25519.Verify(c.key, []byte(message), sig[8:])
}

// check returns how many entries and tiles were verified.
func check(dir string, cosigners []string) (entries, tileCount int, err error) {
	read := func(name string) ([]byte, error) { return os.ReadFile(filepath.Join(dir, name)) }

	vkey, err := read("vkey")
	if err != nil {
		return 0, 0, err
	}
	verifier, err := note.NewVerifier(strings.TrimSuffix(string(vkey), "\n"))
	if err != nil {
		return 0, 0, fmt.Errorf("vkey: %w", err)
	}
	signed, err := read("checkpoint")
	if err != nil {
		return 0, 0, err
	}
	verifiers := []note.Verifier{verifier}
	for _, vkey := range cosigners {
		c, err := newCosigner(vkey)
		if err != nil {
			return 0, 0, err
		}
		verifiers = append(verifiers, c)
	}
	head, err := note.Open(signed, note.VerifierList(verifiers...))
	if err != nil {
		return 0, 0, fmt.Errorf("checkpoint: %w", err)
	}
	if len(head.Sigs) != len(verifiers) {
		return 0, 0, fmt.Errorf("checkpoint: %d of %d signers", len(head.Sigs), len(verifiers))
	}
	lines := strings.Split(head.Text, "\n")
	if len(lines) != 4 || lines[3] != "" || lines[0] != verifier.Name() {
		return 0, 0, fmt.Errorf("checkpoint: not three lines by %s", verifier.Name())
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	if err != nil {
		return 0, 0, fmt.Errorf("checkpoint: %w", err)
	}
	root, err := tlog.ParseHash(lines[2])
	if err != nil {
		return 0, 0, fmt.Errorf("checkpoint: %w", err)
	}
	if size == 0 {
		// x/mod has zeros for the empty tree; RFC 6962 has the hash of nothing.
		if root.String() != "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=" {
			return 0, 0, fmt.Errorf("checkpoint: wrong root of the empty tree")
		}
		return 0, 0, nil
	}

	// Every tile of the tree, as it lies there.
	var t tiles
	for level, count := 0, size; count > 0; level, count = level+1, count/width {
		var hashes []tlog.Hash
		for n := int64(0); n*width < count; n++ {
			inTile := count - n*width
			if inTile > width {
				inTile = width
			}
			name := tilePath(strconv.Itoa(level), n, inTile)
			data, err := read(name)
			if err != nil {
				return 0, 0, err
			}
			if int64(len(data)) != inTile*tlog.HashSize {
				return 0, 0, fmt.Errorf("%s: %d bytes for %d hashes", name, len(data), inTile)
			}
			for ; len(data) > 0; data = data[tlog.HashSize:] {
				var h tlog.Hash
				copy(h[:], data)
				hashes = append(hashes, h)
			}
			tileCount++
		}
		t.levels = append(t.levels, hashes)
	}
	// Each hash above level 0 is that of a full tile below.
	for level := 1; level < len(t.levels); level++ {
		for n, stored := range t.levels[level] {
			if subtree(t.levels[level-1][n*width:(n+1)*width]) != stored {
				return 0, 0, fmt.Errorf("level %d: hash %d is not that of its tile", level, n)
			}
		}
	}
	computed, err := tlog.TreeHash(size, t)
	if err != nil {
		return 0, 0, err
	}
	if computed != root {
		return 0, 0, fmt.Errorf("the tiles' root is %v, the signed one %v", computed, root)
	}

	for n := int64(0); n*width < size; n++ {
		inBundle := size - n*width
		if inBundle > width {
			inBundle = width
		}
		name := tilePath("entries", n, inBundle)
		data, err := read(name)
		if err != nil {
			return 0, 0, err
		}
		buffer := bytes.NewBuffer(data)
		for i := n * width; i < n*width+inBundle; i++ {
			prefix := buffer.Next(2)
			if len(prefix) != 2 {
				return 0, 0, fmt.Errorf("%s: entry %d is missing", name, i)
			}
			length := int(binary.BigEndian.Uint16(prefix))
			entry := buffer.Next(length)
			if len(entry) != length {
				return 0, 0, fmt.Errorf("%s: entry %d is cut short", name, i)
			}
			proof, err := tlog.ProveRecord(size, i, t)
			if err != nil {
				return 0, 0, fmt.Errorf("entry %d: %w", i, err)
			}
			if err := tlog.CheckRecord(proof, size, root, i, tlog.RecordHash(entry)); err != nil {
				return 0, 0, fmt.Errorf("%s: entry %d: %w", name, i, err)
			}
			entries++
		}
		if buffer.Len() != 0 {
			return 0, 0, fmt.Errorf("%s: %d bytes after the last entry", name, buffer.Len())
		}
	}
	return entries, tileCount, nil
}

func main() {
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "usage: go-ledger-check LEDGER_DIR [COSIGNER_VKEY...]")
		os.Exit(64)
	}
	entries, tileCount, err := check(os.Args[1], os.Args[2:])
	if err != nil {
		fmt.Fprintln(os.Stderr, "go-ledger-check:", err)
		os.Exit(1)
	}
	fmt.Printf("%d entries and %d tiles verified\n", entries, tileCount)
}
