// Command go-ledger-check verifies a ledger, in a folder or at a URL, with Go's own transparency-log
// packages, which share no code with this project: the signed head with its vkey, every entry's hash,
// every tile's bytes, an inclusion proof for every entry, and that the tree begins with every
// published head. With a size it follows a log that is being written to until it has that many
// entries. Cosigners whose verifier keys are given must have cosigned the head.
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
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

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

// A source gives the bytes of a ledger's public file, from a folder or by HTTP.
type source func(name string) ([]byte, error)

func open(place string) source {
	if !strings.Contains(place, "://") {
		return func(name string) ([]byte, error) { return os.ReadFile(filepath.Join(place, name)) }
	}
	client := &http.Client{Timeout: time.Minute}
	return func(name string) ([]byte, error) {
		answer, err := client.Get(place + "/" + name)
		if err != nil {
			return nil, err
		}
		defer answer.Body.Close()
		if answer.StatusCode != http.StatusOK {
			return nil, fmt.Errorf("%s: %s", name, answer.Status)
		}
		return io.ReadAll(answer.Body)
	}
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

// A head is a tree head whose signature was checked.
type head struct {
	size int64
	root tlog.Hash
}

// A follower holds what it has verified of a log, and takes up newer heads of it.
type follower struct {
	read      source
	verifier  note.Verifier
	// Who must have signed the head that is served; the log's own lines in history stand alone.
	cosigners []note.Verifier
	tiles     tiles
	last      head
	tileCount int
	published int
}

func newFollower(place string) (*follower, error) {
	read := open(place)
	vkey, err := read("vkey")
	if err != nil {
		return nil, err
	}
	verifier, err := note.NewVerifier(strings.TrimSuffix(string(vkey), "\n"))
	if err != nil {
		return nil, fmt.Errorf("vkey: %w", err)
	}
	return &follower{read: read, verifier: verifier}, nil
}

func (f *follower) parseHead(signed []byte, cosigners []note.Verifier) (head, error) {
	verifiers := append([]note.Verifier{f.verifier}, cosigners...)
	opened, err := note.Open(signed, note.VerifierList(verifiers...))
	if err != nil {
		return head{}, fmt.Errorf("checkpoint: %w", err)
	}
	if len(opened.Sigs) != len(verifiers) {
		return head{}, fmt.Errorf("checkpoint: %d of %d signers", len(opened.Sigs), len(verifiers))
	}
	lines := strings.Split(opened.Text, "\n")
	if len(lines) != 4 || lines[3] != "" || lines[0] != f.verifier.Name() {
		return head{}, fmt.Errorf("checkpoint: not three lines by %s", f.verifier.Name())
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	if err != nil {
		return head{}, fmt.Errorf("checkpoint: %w", err)
	}
	root, err := tlog.ParseHash(lines[2])
	if err != nil {
		return head{}, fmt.Errorf("checkpoint: %w", err)
	}
	// x/mod has zeros for the empty tree; RFC 6962 has the hash of nothing.
	if size == 0 && root.String() != "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=" {
		return head{}, fmt.Errorf("checkpoint: wrong root of the empty tree")
	}
	return head{size, root}, nil
}

// advance takes up the head that the log now serves: its new tiles and entries, and that the tree
// begins with every head published since.
func (f *follower) advance() error {
	signed, err := f.read("checkpoint")
	if err != nil {
		return err
	}
	next, err := f.parseHead(signed, f.cosigners)
	if err != nil {
		return err
	}
	if next.size < f.last.size {
		return fmt.Errorf("the log went back from %d to %d entries", f.last.size, next.size)
	}
	if next.size == f.last.size {
		if next.size > 0 && next.root != f.last.root {
			return fmt.Errorf("two roots for %d entries", next.size)
		}
		return nil
	}
	if err := f.readTiles(next); err != nil {
		return err
	}
	if err := f.readEntries(next); err != nil {
		return err
	}
	if err := f.checkConsistency(f.last, next); err != nil {
		return err
	}
	if err := f.readHistory(next); err != nil {
		return err
	}
	f.last = next
	return nil
}

// readTiles reads every tile that is new or wider, and checks each level against the one below.
func (f *follower) readTiles(next head) error {
	for level, count := 0, next.size; count > 0; level, count = level+1, count/width {
		if level == len(f.tiles.levels) {
			f.tiles.levels = append(f.tiles.levels, nil)
		}
		known := f.tiles.levels[level]
		full := int64(len(known)) / width
		hashes := append([]tlog.Hash(nil), known[:full*width]...)
		for n := full; n*width < count; n++ {
			inTile := count - n*width
			if inTile > width {
				inTile = width
			}
			name := tilePath(strconv.Itoa(level), n, inTile)
			data, err := f.read(name)
			if err != nil {
				return err
			}
			if int64(len(data)) != inTile*tlog.HashSize {
				return fmt.Errorf("%s: %d bytes for %d hashes", name, len(data), inTile)
			}
			for ; len(data) > 0; data = data[tlog.HashSize:] {
				var h tlog.Hash
				copy(h[:], data)
				hashes = append(hashes, h)
			}
			f.tileCount++
		}
		for n, hash := range known {
			if hashes[n] != hash {
				return fmt.Errorf("level %d: hash %d changed", level, n)
			}
		}
		// Each hash above level 0 is that of a full tile below.
		for n := len(known); level > 0 && n < len(hashes); n++ {
			if subtree(f.tiles.levels[level-1][n*width:(n+1)*width]) != hashes[n] {
				return fmt.Errorf("level %d: hash %d is not that of its tile", level, n)
			}
		}
		f.tiles.levels[level] = hashes
	}
	computed, err := tlog.TreeHash(next.size, f.tiles)
	if err != nil {
		return err
	}
	if computed != next.root {
		return fmt.Errorf("the tiles' root is %v, the signed one %v", computed, next.root)
	}
	return nil
}

// readEntries reads the bundles with new entries and proves each of these under the head.
func (f *follower) readEntries(next head) error {
	for n := f.last.size / width; n*width < next.size; n++ {
		inBundle := next.size - n*width
		if inBundle > width {
			inBundle = width
		}
		name := tilePath("entries", n, inBundle)
		data, err := f.read(name)
		if err != nil {
			return err
		}
		buffer := bytes.NewBuffer(data)
		for i := n * width; i < n*width+inBundle; i++ {
			prefix := buffer.Next(2)
			if len(prefix) != 2 {
				return fmt.Errorf("%s: entry %d is missing", name, i)
			}
			length := int(binary.BigEndian.Uint16(prefix))
			entry := buffer.Next(length)
			if len(entry) != length {
				return fmt.Errorf("%s: entry %d is cut short", name, i)
			}
			proof, err := tlog.ProveRecord(next.size, i, f.tiles)
			if err != nil {
				return fmt.Errorf("entry %d: %w", i, err)
			}
			if err := tlog.CheckRecord(proof, next.size, next.root, i, tlog.RecordHash(entry)); err != nil {
				return fmt.Errorf("%s: entry %d: %w", name, i, err)
			}
		}
		if buffer.Len() != 0 {
			return fmt.Errorf("%s: %d bytes after the last entry", name, buffer.Len())
		}
	}
	return nil
}

func (f *follower) checkConsistency(old, next head) error {
	if old.size == 0 {
		return nil
	}
	if old.size == next.size {
		if old.root != next.root {
			return fmt.Errorf("two roots for %d entries", old.size)
		}
		return nil
	}
	proof, err := tlog.ProveTree(next.size, old.size, f.tiles)
	if err != nil {
		return fmt.Errorf("from %d to %d: %w", old.size, next.size, err)
	}
	if err := tlog.CheckTree(proof, next.size, next.root, old.size, old.root); err != nil {
		return fmt.Errorf("from %d to %d: %w", old.size, next.size, err)
	}
	return nil
}

// readHistory checks the signature of every published head after the last one, and that the tree
// begins with it.
func (f *follower) readHistory(next head) error {
	data, err := f.read("history")
	if err != nil {
		return err
	}
	for _, line := range strings.SplitAfter(string(data), "\n") {
		parts := strings.Fields(line)
		if !strings.HasSuffix(line, "\n") || len(parts) != 3 {
			continue
		}
		text := fmt.Sprintf("%s\n%s\n%s\n", f.verifier.Name(), parts[0], parts[1])
		old, err := f.parseHead([]byte(text + "\n\u2014 " + f.verifier.Name() + " " + parts[2] + "\n"), nil)
		if err != nil {
			return fmt.Errorf("history: %w", err)
		}
		if old.size <= f.last.size && f.published > 0 || old.size > next.size {
			continue
		}
		if err := f.checkConsistency(old, next); err != nil {
			return fmt.Errorf("history: %w", err)
		}
		f.published++
	}
	return nil
}

func main() {
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "usage: go-ledger-check LEDGER_DIR_OR_URL [SIZE_TO_FOLLOW_TO] [COSIGNER_VKEY...]")
		os.Exit(64)
	}
	fail := func(err error) {
		fmt.Fprintln(os.Stderr, "go-ledger-check:", err)
		os.Exit(1)
	}
	f, err := newFollower(os.Args[1])
	if err != nil {
		fail(err)
	}
	var target int64
	for _, argument := range os.Args[2:] {
		if strings.Contains(argument, "+") {
			c, err := newCosigner(argument)
			if err != nil {
				fail(err)
			}
			f.cosigners = append(f.cosigners, c)
		} else if target, err = strconv.ParseInt(argument, 10, 64); err != nil {
			fail(err)
		}
	}
	heads := 0
	for {
		before := f.last.size
		if err := f.advance(); err != nil {
			fail(err)
		}
		if f.last.size > before {
			heads++
		}
		if f.last.size >= target {
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	fmt.Printf("%d entries and %d tiles verified, %d heads taken up, %d in history\n",
		f.last.size, f.tileCount, heads, f.published)
}
