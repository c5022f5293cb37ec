#!/bin/sh
# nettool serve examples/site --cgi /cgi-bin=examples/cgi/bin
#
# Then http://127.0.0.1:8000/cgi-bin/hello.sh?name=you: a CGI script prints header fields, an empty line and its answer.
# What it writes to stderr goes to the log, the request is in its environment (RFC 3875), content is its stdin.
case $REQUEST_METHOD in
GET | HEAD | POST) ;;
*)
  printf 'Status: 405 Method Not Allowed\nAllow: GET, HEAD, POST\n\n'
  exit
  ;;
esac
printf 'Content-Type: text/plain; charset=utf-8\n\n'
printf 'method: %s\n' "$REQUEST_METHOD"
printf 'script: %s\n' "$SCRIPT_NAME"
printf 'path:   %s\n' "$PATH_INFO"
printf 'query:  %s\n' "$QUERY_STRING"
printf 'client: %s\n' "$REMOTE_ADDR"
if [ "${CONTENT_LENGTH:-0}" -gt 0 ]; then
  printf 'content:\n'
  head -c "$CONTENT_LENGTH"
fi
