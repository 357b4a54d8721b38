#!/usr/bin/env bash
# Checks the models of the queue (test/model/queue.pml) and of locks and friends (test/model/sync.pml) with spin: every interleaving of each configuration, and that
# each mutant of the protocol is refuted. Prints states, depth and time of each.
#   .ci/lanes/model.sh [short | long]     two minutes, or half an hour with the larger configurations
set -euo pipefail
cd "$(dirname "$0")/../.."
.ci/lanes/tools.sh >/dev/null

length=${1:-short}
model=$PWD/test/model/queue.pml
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
surprises=0
optimization=-O0 # compiling takes longer than what it saves, but for the larger ones

# check SPIN-DEFINITIONS KIND: runs spin's verifier and leaves its words in $place/said. KIND safety: assertions and
# end states; cycles: that there is no cycle at all, so every execution comes to an end.
check() {
  local flags=(-DSAFETY) options=()
  [ "$2" = cycles ] && flags=(-DNP) options=(-l)
  (
    cd "$place"
    # shellcheck disable=SC2086 # the definitions are several words
    spin -a $1 "$model" >said 2>&1 || exit 1
    cc "$optimization" -w -DCOLLAPSE -DVECTORSZ=1024 -DMEMLIM=6000 "${flags[@]}" -o pan pan.c
    ./pan -m1000000 "${options[@]}" >said 2>&1 || true
  )
}

figure() { sed -nE "s/$1/\\1/p" "$place/said" | head -1; }

# holds DEFINITIONS [cycles]: no error, and nothing left out for want of memory or depth.
holds() {
  local start=$SECONDS kind=${2:-safety} verdict=holds
  check "$1" "$kind"
  grep -q 'errors: 0' "$place/said" || verdict='DOES NOT HOLD'
  grep -qE 'max search depth too small|out of memory|Search not completed' "$place/said" && verdict='NOT EXHAUSTIVE'
  [ "$verdict" = holds ] || surprises=$((surprises + 1))
  printf '%-14s %-7s %10s states, depth %5s, %3d s  %s\n' "$verdict" "$kind" "$(figure ' *([0-9]+) states, stored.*')" \
    "$(figure '.*depth reached ([0-9]+).*')" $((SECONDS - start)) "$1"
  [ "$verdict" = holds ] || tail -20 "$place/said"
}

# refuted MUTANT DEFINITIONS: an error is found, and which.
refuted() {
  local verdict=refuted number
  number=$(sed -nE "s/^#define $1 ([0-9]+).*/\\1/p" "$model")
  [ -n "$number" ] || { echo "no mutant $1 in $model" && surprises=$((surprises + 1)) && return; }
  check "-DMUTANT=$number $2" safety
  grep -qE 'errors: [1-9]' "$place/said" || { verdict='NOT REFUTED' && surprises=$((surprises + 1)); }
  printf '%-14s %-22s depth %5s: %s\n' "$verdict" "$1" "$(figure '.*depth reached ([0-9]+).*')" \
    "$(figure 'pan:1: (.*) \(at depth.*')"
}

pair='-DPRODUCERS=1 -DCONSUMERS=1 -DCELLS=1 -DMESSAGES=2'
fan_out='-DPRODUCERS=1 -DCONSUMERS=2 -DCELLS=1 -DMESSAGES=2'
fan_in='-DPRODUCERS=2 -DCONSUMERS=1 -DCELLS=1 -DMESSAGES=1'
all='-DPRODUCERS=2 -DCONSUMERS=2 -DCELLS=3 -DMESSAGES=1'

echo 'every step by itself'
holds "-DFINE=1 -DCRASHES=1 -DNACKS=1 -DLARGE=1 $pair"
holds "-DFINE=1 -DCRASHES=1 -DNACKS=1 -DLARGE=0 $pair"
holds "-DFINE=1 -DCRASHES=0 -DNACKS=0 $fan_out"
holds "-DFINE=1 -DCRASHES=0 -DNACKS=1 $fan_in"
echo 'what happens under one lock in one step, and a death before each change'
holds "-DFINE=0 -DCRASHES=1 -DNACKS=0 -DLARGE=0 $fan_out"
holds "-DFINE=0 -DCRASHES=1 -DNACKS=1 $fan_in"
holds "-DFINE=0 -DCRASHES=2 -DNACKS=0 $fan_in"
holds "-DFINE=0 -DCRASHES=2 -DNACKS=0 -DPRODUCERS=1 -DCONSUMERS=2 -DCELLS=1 -DMESSAGES=1"
holds "-DFINE=0 -DCRASHES=1 -DNACKS=0 -DEXPIRIES=1 -DPRODUCERS=1 -DCONSUMERS=2 -DCELLS=1 -DMESSAGES=1"
holds "-DFINE=0 -DCRASHES=0 -DNACKS=0 -DLEAVES=1 -DPRODUCERS=1 -DCONSUMERS=2 -DCELLS=2 -DMESSAGES=2"
holds "-DFINE=0 -DCRASHES=0 -DNACKS=0 $all"
echo 'no execution goes round for ever'
holds "-DFINE=1 -DCRASHES=1 -DNACKS=0 $pair" cycles
holds "-DFINE=0 -DCRASHES=1 -DNACKS=0 $fan_in" cycles
if [ "$length" = long ]; then
  echo 'larger ones'
  optimization=-O2
  holds "-DFINE=1 -DCRASHES=1 -DNACKS=0 $fan_in"
  holds "-DFINE=1 -DCRASHES=0 -DNACKS=0 $all"
  holds "-DFINE=0 -DCRASHES=1 -DNACKS=0 $all"
  holds "-DFINE=0 -DCRASHES=2 -DNACKS=0 $fan_out"
  holds "-DFINE=0 -DCRASHES=1 -DNACKS=1 -DEXPIRIES=1 $fan_out"
  holds "-DFINE=0 -DCRASHES=0 -DNACKS=0 -DPRODUCERS=2 -DCONSUMERS=2 -DCELLS=3 -DMESSAGES=2"
  holds "-DFINE=0 -DCRASHES=1 -DNACKS=0 $fan_out" cycles
  optimization=-O0
fi

echo 'and what must not hold'
refuted COMMIT_BEFORE_PAYLOAD "-DFINE=0 -DCRASHES=1 -DLARGE=0 $pair"
refuted FREE_BEFORE_COPY "-DFINE=0 -DCRASHES=1 -DPRODUCERS=1 -DCONSUMERS=2 -DCELLS=1 -DMESSAGES=1"
refuted UNLOCK_WITHOUT_WAKE "-DFINE=1 -DCRASHES=0 $fan_in"
refuted TAKE_WITHOUT_BIT "-DFINE=1 -DCRASHES=0 -DNACKS=0 -DPRODUCERS=1 -DCONSUMERS=3 -DCELLS=1 -DMESSAGES=1"
refuted PUBLISH_WITHOUT_WAKE "-DFINE=0 -DCRASHES=0 $pair"
refuted ARM_AFTER_LOOK "-DFINE=0 -DCRASHES=0 $pair"
refuted TAKE_BACK_ARMED "-DFINE=1 -DCRASHES=0 $fan_in"
refuted LEAVE_WITHOUT_DISARM "-DFINE=0 -DCRASHES=0 -DLEAVES=1 $fan_out"
refuted UNBOUNDED_WAIT "-DFINE=0 -DCRASHES=1 $fan_out"
refuted UNBOUNDED_LOCK "-DFINE=1 -DCRASHES=1 $fan_in"
refuted OWNER_NOT_ASKED "-DFINE=1 -DCRASHES=1 $fan_in"
refuted DONE_BEFORE_FREE "-DFINE=0 -DCRASHES=0 $pair"
refuted NO_GENERATION "-DFINE=0 -DCRASHES=0 -DNACKS=0 -DEXPIRIES=1 $fan_out"
refuted SKIP_TAKEN "-DFINE=0 -DCRASHES=1 $fan_out"
refuted SKIP_WRITING "-DFINE=0 -DCRASHES=1 $fan_in"
refuted FREE_ALL_WRITING "-DFINE=0 -DCRASHES=1 $fan_in"
refuted RECOVER_ONE_SIDE "-DFINE=0 -DCRASHES=1 $fan_in"
refuted OLD_NEXT_SEQ "-DFINE=0 -DCRASHES=1 $fan_in"
refuted OLD_LISTS "-DFINE=0 -DCRASHES=1 $fan_in"
refuted UNLOCK_BEFORE_REBUILD "-DFINE=1 -DCRASHES=1 -DNACKS=0 -DPRODUCERS=2 -DCONSUMERS=1 -DCELLS=2 -DMESSAGES=1"

echo 'locks and friends'
model=$PWD/test/model/sync.pml
lock=-DOBJECT=1 semaphore=-DOBJECT=2 condition=-DOBJECT=3 barrier=-DOBJECT=4
heirs="$condition -DPEOPLE=4 -DJOINED=1 -DCRASHES=2"
holds "$lock -DCRASHES=2 -DROUNDS=2"
holds "$lock -DCRASHES=1 -DLEAVES=2"
holds "$lock -DCRASHES=0 -DPEOPLE=4"
holds "$lock -DCRASHES=0 -DLEAVES=1"
holds "$semaphore -DCRASHES=2"
holds "$semaphore -DCRASHES=1 -DPERMITS=2"
holds "$semaphore -DCRASHES=0 -DROUNDS=2"
holds "$condition -DCRASHES=2 -DNOTICES=2"
holds "$condition -DCRASHES=0 -DPEOPLE=4 -DNOTICES=2"
holds "$heirs"
holds "$barrier -DCRASHES=2"
holds "$barrier -DCRASHES=1 -DLEAVES=1"

echo 'and what must not hold of those'
refuted NOTE_AFTER_FREE "$lock"
refuted FORGET_BEFORE_TAKE "$lock"
refuted RELEASE_WITHOUT_WAKE "$lock -DCRASHES=0"
refuted TAKE_WITHOUT_BIT "$lock -DCRASHES=0"
refuted UNBOUNDED_SLEEP "$lock"
refuted OWNER_NOT_ASKED "$lock"
refuted FREE_LIVING "$lock"
refuted SLEEP_BLINDLY "$lock -DCRASHES=0"
refuted LEAVE_WITHOUT_WAKE "$lock -DCRASHES=0 -DLEAVES=1"
refuted VALUE_NOT_DERIVED "$semaphore"
refuted DEAD_KEEP_PERMITS "$semaphore"
refuted RELEASE_NOT_ADMITTED "$semaphore -DCRASHES=0"
refuted UNBOUNDED_SLEEP "$semaphore"
refuted NOT_PASSED_ON "$condition"
refuted HEIR_NOT_KEPT "$heirs"
refuted LEFT_BEFORE_PASSED_ON "$heirs"
refuted PASSING_NOT_FINISHED "$heirs"
refuted UNBOUNDED_SLEEP "$condition"
refuted NO_JOURNAL "$barrier"
refuted JOURNAL_CLEARED_FIRST "$barrier"
refuted DEATH_NOT_BREAKING "$barrier"

[ $surprises -eq 0 ] || { echo "$surprises surprises" && exit 1; }
