# The words that the pages of tasks are written in; bash, with curl and python3. docs/first-day.md explains them.
set -euo pipefail
export YUNDUAN=${YUNDUAN:-http://127.0.0.1:8000}   # where the cloud is
export YUNDUAN_DATA=${YUNDUAN_DATA:-tasks}         # where its data are
export PATH="$PWD/.venv/bin:$PATH"                 # where the command line is: `yunduan`

key() { python3 -SE -c 'import uuid; print(uuid.uuid4())'; }
call() { # call TOKEN METHOD PATH [BODY]
  curl -sS -X "$2" "$YUNDUAN/v1$3" -H "Authorization: Bearer $1" -H "Idempotency-Key: $(key)" \
    -H 'Content-Type: application/json' ${4:+--data "$4"}
}
pick() { each . "$@"; } # values of a JSON answer: pick state orders.0.id
each() { # the same of everything in a list: each items title price.amount
  python3 -SE -c '
import json, sys
def at(it, path):
    for name in filter(None, path.split(".")):
        it = it[int(name) if isinstance(it, list) else name]
    return it
def text(it):
    return it if isinstance(it, str) else json.dumps(it, ensure_ascii=False)
first, *names = sys.argv[1:]
answer = json.load(sys.stdin)
for it in [answer] if first == "." else at(answer, first):
    print(*[text(at(it, name)) for name in names or [""]])' "$@"
}
cny() { echo "{\"amount\": $1, \"currency\": \"CNY\"}"; } # cny 12800 is 128.00 yuan
sign_in() { # the token of whoever has this phone
  local challenge code
  challenge=$(call '' POST /sessions/codes "{\"contact\": \"$1\"}" | pick id)
  code=$(yunduan person mailbox | awk -v to="$1" '$2 == to && !code { code = $3 } END { print code }')
  call '' POST /sessions "{\"challenge_id\": \"$challenge\", \"code\": \"$code\"}" | pick token
}
until_it_is() { # until_it_is WHAT COMMAND...: waits until a command says so; what a follower or a courier does takes a moment
  local wanted=$1; shift
  for _ in {1..100}; do if [ "$("$@")" = "$wanted" ]; then return; fi; sleep 0.2; done
  echo "this never came to be $wanted: $*" >&2; return 1
}
