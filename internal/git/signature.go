package git

import (
	"bytes"
	"fmt"
	"io"
	"strings"

	"github.com/ProtonMail/go-crypto/openpgp"

	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/pipelines"
)

// Verify says by which of some keys a commit is signed. Keys are lines of SSH and armored blocks of GPG. It is fault.Refused where none of
// them has signed it, and fault.Invalid where a key cannot be read. Only this commit is looked at: its tree is all that is read of it, and
// whoever signs it signs that.
func (c *Commit) Verify(signers []string) (string, error) {
	payload, signature, err := c.signed()
	if err != nil {
		return "", err
	}
	if strings.HasPrefix(signature, sshArmor) {
		return verifySSH(c.Hash, payload, signature, signers)
	}
	return verifyGPG(c.Hash, payload, signature, signers)
}

// CheckSigners is fault.Invalid where one of some keys cannot be read.
func CheckSigners(signers []string) error {
	for i, s := range signers {
		var err error
		if pipelines.ArmoredGPG(s) {
			_, err = openpgp.ReadArmoredKeyRing(strings.NewReader(s))
		} else {
			_, err = sshKey(s)
		}
		if err != nil {
			return fault.Wrap(fault.Invalid, err, "cannot read signer %d of verify", i+1)
		}
	}
	return nil
}

// signed divides a commit, as it is stored, into what is signed and the signature.
func (c *Commit) signed() (payload []byte, signature string, err error) {
	data := c.encoded
	head, message, _ := bytes.Cut(data, []byte("\n\n"))
	var kept, found bytes.Buffer
	signatures, inside := 0, false
	for line := range bytes.Lines(append(head, '\n')) {
		switch {
		case bytes.HasPrefix(line, []byte("gpgsig ")):
			signatures, inside = signatures+1, true
			found.Write(line[len("gpgsig "):])
			continue
		case bytes.HasPrefix(line, []byte("gpgsig-")):
			return nil, "", fault.New(fault.Refused, "cannot verify commit %.12s: it has a signature of another kind of repository", c.Hash)
		case inside && bytes.HasPrefix(line, []byte(" ")):
			found.Write(line[1:])
			continue
		}
		inside = false
		kept.Write(line)
	}
	switch signatures {
	case 0:
		return nil, "", fault.New(fault.Refused, "cannot verify commit %.12s: it is not signed", c.Hash)
	case 1:
	default:
		return nil, "", fault.New(fault.Refused, "cannot verify commit %.12s: it has several signatures", c.Hash)
	}
	kept.WriteByte('\n')
	kept.Write(message)
	return kept.Bytes(), found.String(), nil
}

func verifyGPG(commit string, payload []byte, signature string, signers []string) (string, error) {
	var ring openpgp.EntityList
	for _, s := range signers {
		if !pipelines.ArmoredGPG(s) {
			continue
		}
		keys, err := openpgp.ReadArmoredKeyRing(strings.NewReader(s))
		if err != nil {
			return "", fault.Wrap(fault.Invalid, err, "cannot verify commit %.12s: a signer's key cannot be read", commit)
		}
		ring = append(ring, keys...)
	}
	by, err := openpgp.CheckArmoredDetachedSignature(ring, bytes.NewReader(payload), strings.NewReader(signature), nil)
	if err != nil || by == nil {
		return "", fault.New(fault.Refused, "cannot verify commit %.12s: none of the signers of the Source has signed it: %v", commit, err)
	}
	return "gpg " + fmt.Sprintf("%X", by.PrimaryKey.Fingerprint), nil
}

// stored is an object as it is in a repository.
func stored(from io.ReadCloser) ([]byte, error) {
	defer from.Close()
	return io.ReadAll(from)
}
