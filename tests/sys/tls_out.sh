#!/bin/bash
# Covers: what notify and http send over TLS, from the sandboxed workers of the real daemon to HTTPS and SMTP servers of the
# standard library on loopback: `ca_file` (a path relative to sluice.yaml, outside of what every worker may read; replaced by
# another while a worker is kept), and what is refused with its reason: a certificate of another CA, one that is not trusted
# at all, one of another host, an expired one, a ca_file that is not there; mail by STARTTLS, inside TLS, and to a server that
# offers no STARTTLS.
# Does not cover: the system's certificates, client certificates, TLS of the daemon's own listener.
set -u
# shellcheck source=tests/sys/lib.sh
. "${SLUICE_SRC_DIR:?}/tests/sys/lib.sh"
command -v openssl >/dev/null || {
	echo "tls_out: no openssl to make certificates with"
	exit 77
}
begin tls_out
receiver=
trap '[ -n "$receiver" ] && kill "$receiver" 2>/dev/null; finish' EXIT
mkdir -p got dags secrets tls pem trust
echo whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE= >got/hook

authority() { # authority NAME: tls/NAME.crt and tls/NAME.key
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj "/CN=test CA $1" \
		-keyout "tls/$1.key" -out "tls/$1.crt" 2>>.openssl
	: >"tls/$1.index"
}
# leaf NAME CA SAN START END: pem/NAME.pem, certificate and key
leaf() {
	openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=test $1" -keyout "tls/$1.key" \
		-out "tls/$1.csr" 2>>.openssl
	cat >"tls/$1.cnf" <<END
[ca]
default_ca = own
[own]
database = tls/$2.index
new_certs_dir = tls
default_md = sha256
policy = any
rand_serial = yes
unique_subject = no
x509_extensions = ext
[any]
commonName = supplied
[ext]
subjectAltName = $3
END
	openssl ca -batch -notext -config "tls/$1.cnf" -cert "tls/$2.crt" -keyfile "tls/$2.key" -startdate "$4" -enddate "$5" \
		-in "tls/$1.csr" -out "tls/$1.crt" 2>>.openssl
	cat "tls/$1.crt" "tls/$1.key" >"pem/$1.pem"
}
authority one
authority two
leaf good one IP:127.0.0.1 20200101000000Z 20991231235959Z
leaf other_host one DNS:elsewhere.example 20200101000000Z 20991231235959Z
leaf expired one IP:127.0.0.1 20200101000000Z 20200201000000Z
leaf other_ca two IP:127.0.0.1 20200101000000Z 20991231235959Z
checks=$((checks + 1))
[ -s pem/other_ca.pem ] || die "no certificates: $(tail -n 5 .openssl)"
cp tls/one.crt trust/ca.pem

python3 "$SLUICE_SRC_DIR/tests/sys/notify_receiver.py" got pem &
receiver=$!
ports() {
	local n
	for n in good other_host expired other_ca; do
		[ -s "got/$n.https.port" ] && [ -s "got/$n.starttls.port" ] && [ -s "got/$n.smtps.port" ] || return 1
	done
	[ -s got/smtp.port ]
}
until_true "the receivers" ports
echo "mail-password" >secrets/smtp
endpoint() { # endpoint NAME CERTIFICATE [CA-FILE]: webhook, Slack, mail and an http connection for it
	local url
	url=https://127.0.0.1:$(cat "got/$2.https.port")
	echo "$url/$1" >"secrets/$1"
	cat >>notify.part <<END
  $1: {plugin: notify, kind: webhook, url: {file: secrets/$1}, private: allow${3:+, ca_file: $3}}
END
	cat >>connections.part <<END
  $1: {plugin: http, url: "$url", private: allow${3:+, ca_file: $3}}
END
	printf 'dag: %s\nsteps: {a: {task: {connection: %s, path: /get}}}\n' "$1" "$1" >"dags/$1.yaml"
}
mail() { # mail NAME PORT TLS CA-FILE
	cat >>notify.part <<END
  $1: {plugin: notify, kind: mail, host: 127.0.0.1, port: $(cat "got/$2.port"), tls: $3, user: me, password: {file: secrets/smtp},
       from: a@example.jp, to: [b@example.jp]${4:+, ca_file: $4}}
END
}
endpoint good good trust/ca.pem
endpoint absolute good "$work/trust/ca.pem"
endpoint other_host other_host trust/ca.pem
endpoint expired expired trust/ca.pem
endpoint other_ca other_ca trust/ca.pem
endpoint untrusted good
endpoint missing good trust/nothing.pem
cp tls/one.crt trust/turns.pem
endpoint turns good trust/turns.pem
mail starttls good.starttls starttls trust/ca.pem
mail smtps good.smtps tls trust/ca.pem
mail plain smtp starttls trust/ca.pem
mail mail_other_ca other_ca.starttls starttls trust/ca.pem
mail mail_other_host other_host.smtps tls trust/ca.pem
cp secrets/good secrets/slack
echo "  slack: {plugin: notify, kind: slack, url: {file: secrets/slack}, private: allow, ca_file: trust/ca.pem}" >>notify.part
{
	printf 'deployment: test\nworkers: 2\nnotify:\n'
	cat notify.part
	echo connections:
	cat connections.part
} >sluice.yaml
got() { # got FILTER: some request or mail is so
	jq -e -s "any(.[]; $1)" got/got.ndjson
}
# refused NAME TEXT...: neither a notification nor a request gets there; both say why
refused() {
	local name=$1 text
	shift
	cli 1 notify test "$name"
	for text; do says "$err" "$text"; done
	cli 1 run "$name" -o json
	is '.steps[0].class == "config" and .steps[0].attempt == 1'
	for text; do says "$out" "$text"; done
}
start
cli 0 check

for name in good absolute slack; do
	cli 0 notify test "$name"
	says "$out" "$name was told"
done
for name in good absolute; do
	cli 0 run "$name" -o json
	is '.state == "succeeded"'
done
until_true "a webhook over TLS" got '.path == "/good" and .body.type == "notify.test"'
until_true "a request over TLS" got '.path == "/get"'

refused other_ca "certificate" "127.0.0.1:" "ca_file"
refused untrusted "certificate" "127.0.0.1:" "ca_file"
refused expired "certificate has expired" "127.0.0.1:"
refused other_host "no alternative certificate subject name matches" "127.0.0.1:"
refused missing "trust/nothing.pem" "ca_file"
checks=$((checks + 1))
got '.path == "/other_ca" or .path == "/untrusted" or .path == "/expired" or .path == "/other_host" or .path == "/missing"' \
	>/dev/null && fail "a server that cannot be trusted was told something"

# The file is replaced while a worker that may read it is kept.
cli 0 run turns -o json
cp tls/two.crt trust/next.pem
mv trust/next.pem trust/turns.pem
refused turns "certificate"
cp tls/one.crt trust/next.pem
mv trust/next.pem trust/turns.pem
cli 0 run turns -o json
cli 0 notify test turns

cli 0 notify test starttls
cli 0 notify test smtps
jq -s '[.[] | select(.path == "smtp")]' got/got.ndjson >"$out"
is 'length == 2 and all(.[]; .tls and .auth == "\u0000me\u0000mail-password")'
cli 1 notify test plain
says "$err" "STARTTLS"
cli 1 notify test mail_other_ca
says "$err" "certificate"
cli 1 notify test mail_other_host
says "$err" "no alternative certificate subject name matches"
jq -s '[.[] | select(.path == "smtp")]' got/got.ndjson >"$out"
is 'length == 2'

run 0 "$sluice" shutdown
wait "$daemon"
daemon=
done_with tls_out
