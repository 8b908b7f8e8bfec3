package git

import (
	"crypto/sha256"
	"crypto/sha512"
	"encoding/pem"
	"errors"

	"golang.org/x/crypto/ssh"

	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/pipelines"
)

// Of a signature by a key of SSH, as OpenSSH's PROTOCOL.sshsig has it.
const (
	sshArmor     = "-----BEGIN SSH SIGNATURE-----"
	sshMagic     = "SSHSIG"
	sshNamespace = "git"
)

// sshSignature is what stands in the armor, behind the magic.
type sshSignature struct {
	Version   uint32
	PublicKey []byte
	Namespace string
	Reserved  string
	Hash      string
	Signature []byte
}

// sshSigned is what is signed, behind the magic.
type sshSigned struct {
	Namespace string
	Reserved  string
	Hash      string
	Digest    []byte
}

func sshKey(line string) (ssh.PublicKey, error) {
	key, _, _, _, err := ssh.ParseAuthorizedKey([]byte(line))
	return key, err
}

func verifySSH(commit string, payload []byte, armored string, signers []string) (string, error) {
	no := func(format string, args ...any) (string, error) {
		return "", fault.New(fault.Refused, "cannot verify commit %.12s: "+format, append([]any{commit}, args...)...)
	}
	sig, err := readSSH(armored)
	if err != nil {
		return no("its signature cannot be read: %v", err)
	}
	if sig.Namespace != sshNamespace {
		return no("its signature is for %.40q, and not for %s", sig.Namespace, sshNamespace)
	}
	key, err := ssh.ParsePublicKey(sig.PublicKey)
	if err != nil {
		return no("its signature has a key that cannot be read: %v", err)
	}
	known, err := isSigner(key, signers)
	if err != nil {
		return "", err
	}
	if !known {
		return no("it is signed by %s, who is none of the signers of the Source", ssh.FingerprintSHA256(key))
	}
	var digest []byte
	switch sig.Hash {
	case "sha256":
		sum := sha256.Sum256(payload)
		digest = sum[:]
	case "sha512":
		sum := sha512.Sum512(payload)
		digest = sum[:]
	default:
		return no("its signature is over a digest by %.20q", sig.Hash)
	}
	var made ssh.Signature
	if err := ssh.Unmarshal(sig.Signature, &made); err != nil {
		return no("its signature cannot be read: %v", err)
	}
	if made.Format == ssh.KeyAlgoRSA { // SHA-1, which others can make as well
		return no("its signature is by SHA-1")
	}
	over := append([]byte(sshMagic), ssh.Marshal(sshSigned{sig.Namespace, sig.Reserved, sig.Hash, digest})...)
	if err := key.Verify(over, &made); err != nil {
		return no("its signature is of something else: %v", err)
	}
	return "ssh " + ssh.FingerprintSHA256(key), nil
}

func readSSH(armored string) (*sshSignature, error) {
	block, _ := pem.Decode([]byte(armored))
	if block == nil || block.Type != "SSH SIGNATURE" || len(block.Bytes) < len(sshMagic) || string(block.Bytes[:len(sshMagic)]) != sshMagic {
		return nil, errors.New("it has no armor of SSH")
	}
	sig := &sshSignature{}
	if err := ssh.Unmarshal(block.Bytes[len(sshMagic):], sig); err != nil {
		return nil, err
	}
	if sig.Version != 1 {
		return nil, errors.New("it is of a version that is not known")
	}
	return sig, nil
}

// isSigner reports whether a key is one of the signers.
func isSigner(key ssh.PublicKey, signers []string) (bool, error) {
	for _, s := range signers {
		if pipelines.ArmoredGPG(s) {
			continue
		}
		known, err := sshKey(s)
		if err != nil {
			return false, fault.Wrap(fault.Invalid, err, "cannot read a signer of the Source")
		}
		if string(known.Marshal()) == string(key.Marshal()) {
			return true, nil
		}
	}
	return false, nil
}
