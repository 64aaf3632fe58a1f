#!/usr/bin/env bash
# Checks the model under docs/model exhaustively, then that every law can fail: each planted mutation
# must be found by the law it breaks. Ends with status 0 only if all of it did.
#   check.sh MODEL_FOLDER [NAME]   NAME: one search or mutation only
set -euo pipefail

model=$(cd "$1" && pwd)
only=${2-}
memory_mb=1800
depth=1000000
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

fail() { printf 'model: %s\n' "$*" >&2; exit 1; }

# compile NAME OPTIMISE "GCC FLAGS" [SPIN FLAGS...]: makes $work/NAME/pan
compile() {
  local name=$1 optimise=$2 flags=$3
  shift 3
  mkdir "$work/$name"
  cp "$model"/*.pml "$work/$name"
  cd "$work/$name"
  spin "$@" -a colo.pml >spin.log 2>&1 || { cat spin.log >&2; fail "$name: spin refuses the model"; }
  # shellcheck disable=SC2086  # one word per flag
  gcc "$optimise" -w $flags -DCOLLAPSE -DMEMLIM=$memory_mb -o pan pan.c
}

# search NAME [PAN FLAGS...]: runs it; what it says is in $work/NAME/log
search() {
  local name=$1
  shift
  cd "$work/$name"
  nice ./pan -m$depth "$@" >log 2>&1 || true
  # A search that was cut short has proven nothing, whatever it found.
  if grep -qE 'max search depth too small|out of memory|reached -DMEMLIM|Search not completed' log &&
      ! grep -q '^pan:1: ' log; then
    cat log >&2
    fail "$name: the search was cut short"
  fi
  grep -qE 'errors: [0-9]+$' log || { cat log >&2; fail "$name: the search did not end"; }
}

figures() {
  sed -nE 's/^ *([0-9]+) states, stored.*/\1 states/p; s/^ *([0-9]+) transitions.*/, \1 transitions/p
           s/^State-vector .*depth reached ([0-9]+).*/depth \1, /p
           s/^ *([0-9.]+).total actual memory.*/, \1 MB/p
           s/^pan: elapsed time ([0-9.e+]+) .*/, \1 s/p' "$work/$1/log" | tr -d '\n'
}

holds() {
  local name=$1
  if ! grep -qE 'errors: 0$' "$work/$name/log"; then
    grep -E '^pan:1: ' "$work/$name/log" >&2 || true
    cd "$work/$name"
    spin -t -p colo.pml 2>/dev/null | grep -E 'proc +[0-9]+ \((host|arbiter)' | tail -n 60 >&2 || true
    fail "$name: a law is broken; above are the last steps of the trail"
  fi
  printf '%-22s holds: %s\n' "$name" "$(figures "$name")"
}

# Every step that a host can take and every promised state must have come up: a law that is never
# asked proves nothing. What colo.pml offers to all steps need not be of use to each. Atomic instead of d_step: spin reports single statements of it.
safety() {
  compile safety -O2 "-DSAFETY -DNOCLAIM" -DPROMISES -Dd_step=atomic -o3
  search safety
  holds safety
  local missed
  missed=$(unreached safety | grep -v '^colo\.pml:' || true)
  [[ -z $missed ]] || fail "never reached:
$missed"
}

# unreached NAME: FILE:LINE and text of what no schedule executed. pan's own list has the numbers of
# the statements but the wrong file for what was included; its source has the right one.
unreached() {
  awk '
    FILENAME ~ /pan\.m$/ && / PROC / { process = $3 }
    FILENAME ~ /pan\.m$/ && match($0, /STATE [0-9]+ - /) {
      where = substr($0, RSTART + RLENGTH)
      split(substr($0, RSTART), word, " ")
      place[process, word[2]] = where
    }
    FILENAME ~ /log$/ && /^unreached in / { process = $3 == "proctype" ? $4 : "" }
    FILENAME ~ /log$/ && process && /^\t.*, state [0-9]+, / && !/"-end-"/ {
      match($0, /state [0-9]+/)
      number = substr($0, RSTART + 6, RLENGTH - 6)
      print ((process, number) in place) ? place[process, number] : $0
    }' "$work/$1/pan.m" "$work/$1/log"
}

# LTL_NAME: an accepting cycle is a run of the world that breaks it.
liveness() {
  compile "$1" -O2 ""
  search "$1" -a -N "$1"
  holds "$1"
}

# mutant LAW NAME: planted by MUTANT_NAME in the model.
mutant() {
  local law=$1 name=$2 said
  if ((law == 5)); then
    compile "$name" -O0 "" -DMUTANT_"$name"
    search "$name" -a -N law_5
    said='^pan:1: acceptance cycle'
  else
    compile "$name" -O0 "-DSAFETY -DNOCLAIM" -DMUTANT_"$name" -DONLY="$law"
    search "$name"
    said="^pan:1: assertion violated .*$law!=$law"
  fi
  grep -qE "$said" "$work/$name/log" || {
    cat "$work/$name/log" >&2
    fail "the mutation $name was not found by law $law"
  }
  printf '%-22s found by L%s: %s\n' "$name" "$law" "$(figures "$name")"
}

checks=(
  "safety"
  "liveness law_5"
  "liveness protected_again"
  "mutant 1 RELEASE_BEFORE_ACK"
  "mutant 1 OLD_BASE_TAKEABLE"
  "mutant 1 KEPT_GENERATION"
  "mutant 2 ANY_LINEAGE"
  "mutant 3 FORGETS_TOO_SOON"
  "mutant 4 NO_CLAIM"
  "mutant 4 SOURCE_RESUMES"
  "mutant 4 LOSER_RUNS"
  "mutant 5 NOT_GIVEN_BACK"
  "mutant 5 GIVES_BACK_TO_ANYBODY"
  "mutant 5 RUN_NOT_LEARNT"
  "mutant 5 RETURNS_ONLY_IF_NEWER"
)
ran=
for check in "${checks[@]}"; do
  [[ -z $only || ${check##* } == "$only" ]] || continue
  ran=yes
  $check
done
[[ $ran ]] || fail "there is no check $only"
