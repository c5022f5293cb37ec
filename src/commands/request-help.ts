/** What stands below the flags in `--help`: the items, and an example of every flag. */
export const REQUEST_HELP = `
Items:
  Name:value   header ('Name:' leaves it out, 'Name;' sends it empty, 'Name:@file' takes it from a file)
  name==value  query parameter
  name=value   field of the body; name=@file with its text from a file
  name:=json   field as raw JSON; name:=@file from a file
  name@path    a file as a field of a form, with ;type=… and ;filename=… behind it
  a[b][]=value nests; a backslash takes the meaning of ':', ';', '=' or '@' away
  Secrets are best given as env:NAME or @file: they are in no list of processes, and in no message.

Examples:
  nettool get example.org/api q==tea page==2 X-Trace:1       parameters and a header field
  nettool post :3000/users name=Ada age:=36 tags[]=x         JSON to localhost:3000
  nettool post :3000/login --form user=ada password=@pass    a form, the password from a file
  nettool post :3000/up photo@me.jpg;type=image/jpeg         a file, streamed from disk
  nettool post :3000/up --multipart a=1 --file f=@x.bin      the same in flags
  nettool put :3000/doc -d @doc.json -H 'If-Match: "7"'      a file as the body; -d @- is stdin
  nettool post :3000/log -d @- --compress < big.log          gzip on the way
  nettool get :3000 -p a=1 --cookie id=7 -X REPORT           parameter, cookie, another method
  nettool get :3000 --auth ada:env:PASS --auth-type digest   log in; or --bearer env:TOKEN
  nettool get :3000 --netrc                                  or --netrc-file ./netrc
  nettool post :3000/login user=ada --session work           later: nettool get :3000/me --session work
  nettool get :3000 --timeout 30s --connect-timeout 2s --idle-timeout 5s
  nettool get :3000 --retry 5 --retry-delay 1s --retry-all   try again; POST and PATCH, too
  nettool get :3000 --no-follow                              or --max-redirects 3, --allow-downgrade
  nettool get :3000 --bearer env:T --redirect-trust cdn.example.org
  nettool get example.org --proxy socks5h://127.0.0.1:1080   --proxy '' for none at all
  nettool get https://box/ -k                                better: --cacert ca.pem
  nettool get https://box/ --cert me.pem --key me.key --key-pass env:PASS
  nettool get https://box/ --tls-min 1.3 --ciphers ECDHE+AESGCM --pin sha256//…=
  nettool get https://box/ --http1.1                         or --http2, on http:// at once
  nettool get https://example.org --resolve example.org:443:127.0.0.1
  nettool get http://docker/info --unix-socket /run/docker.sock
  nettool get example.org -4 --interface eth0                or -6
  nettool get example.org/big -o big --limit-rate 1M --max-size 2G
  nettool get example.org/big.iso -O -c --checksum sha256:…  resume, and check what came
  nettool get example.org/big.iso -O --parallel 4            in four ranges at once
  nettool get :3000/a --url :3000/b --parallel 2 --fail-early
  nettool get :3000 -i                                       or --headers, --body, --print HBhbm
  nettool get :3000/data.gz --raw > data.gz
  nettool get :3000/events --stream                          server-sent events, NDJSON
  nettool get :3000 --timing --har run.har
  nettool post :3000 a=1 --dry-run                           or --as-curl: nothing is sent
  nettool get :3000/health --wait 60s --expect 200 --expect-json status=ok
  nettool get :3000 --expect-header 'Content-Type: ^text/' --expect-body 'hello'`;
