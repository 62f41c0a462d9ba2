#!/usr/bin/env bash
# The README's walk, with its answers checked. Brings up a Ticketflow of its own
# on a temporary folder and a free port, and stops it again.
set -euo pipefail
cd "$(dirname "$0")/.."

port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
data=$(mktemp -d)
export TICKETFLOW=http://127.0.0.1:$port
export KUBECONFIG=$data/kubeconfig
bin/ticketflow up --data-dir "$data/data" --rest-address "127.0.0.1:$port" --kubeconfig "$KUBECONFIG" --load config/samples >"$data/up.log" 2>&1 &
up=$!
finish() {
  local result=$?
  kill -INT "$up" 2>/dev/null || true
  wait "$up" || { result=$?; echo "up ended badly:"; }
  [ "$result" -eq 0 ] || cat "$data/up.log"
  rm -rf "$data"
  exit "$result"
}
trap finish EXIT

for _ in $(seq 600); do
  curl -sf "$TICKETFLOW/readyz" >/dev/null && break
  kill -0 "$up" 2>/dev/null || exit 1
  sleep 0.2
done
curl -sf "$TICKETFLOW/readyz" >/dev/null

source hack/call.sh

# expect NAME WANTED ANSWER: the answer must have the wanted text in it.
expect() {
  echo "$1: $3"
  [[ $3 == *"$2"* ]] || { echo "wanted: $2"; exit 1; }
}
# until_in STATE_ID: waits until the ticket is there.
until_in() {
  for _ in $(seq 300); do
    [[ $(call lilei GET "tickets/$ticket") == *"\"state_id\":$1,"* ]] && return
    sleep 0.1
  done
  echo "the ticket did not come to state $1"
  exit 1
}

expect "workflows" VPN "$(call lilei GET workflows)"
answer=$(call lilei POST tickets '{"workflow_id": 1, "transition_id": 1, "title": "VPN for the trip", "days": 5, "suggestion": "请尽快处理"}')
expect "open" '"code":0' "$answer"
ticket=$(sed 's/.*"ticket_id":\([0-9]*\).*/\1/' <<<"$answer")
expect "a form that is not filled" '"reason":"MissingFields"' "$(call lilei POST tickets '{"workflow_id": 1, "transition_id": 1}')"
expect "somebody else's ticket" '"reason":"NotAllowed"' "$(call wangwu GET "tickets/$ticket")"
expect "the leader's choices" 同意 "$(call zhangsan GET "tickets/$ticket/transitions")"
expect "approve" '"code":0' "$(call zhangsan PATCH "tickets/$ticket" '{"transition_id": 3, "suggestion": "同意"}')"
expect "claim first" '"reason":"AcceptFirst"' "$(call guiji PATCH "tickets/$ticket" '{"transition_id": 5}')"
expect "claim" '"data":true' "$(call guiji POST "tickets/$ticket/accept")"
expect "work" '"code":0' "$(call guiji PATCH "tickets/$ticket" '{"transition_id": 5, "suggestion": "处理完成"}')"
until_in 5
expect "the script's word" "granted by ticket $ticket" "$(call lilei GET "tickets/$ticket/flowlogs")"
expect "what the creator may do" "You (lilei) may:" "$(bin/kubectl-ticket show "$ticket" --namespace it --as lilei)"
expect "nothing for the leader" "Nothing waits for you" "$(bin/kubectl-ticket list --namespace it --as zhangsan --todo 2>&1)"
expect "confirm" '"code":0' "$(call lilei PATCH "tickets/$ticket" '{"transition_id": 7, "suggestion": "已经生效"}')"
expect "ended" '"act_state_id":4' "$(call lilei GET "tickets/$ticket")"
table=$(bin/kubernetes/kubectl get tickets.ticketflow.dev --namespace it)
expect "kubectl" Finished "$table"
expect "the aggregated API" "\"id\":$ticket," "$(bin/kubernetes/kubectl get --raw "/apis/rest.ticketflow.dev/v1/ticketids/$ticket")"
name=$(bin/kubernetes/kubectl get tickets.ticketflow.dev --namespace it --output name | head -1)
expect "by name" '"kind":"Ticket"' "$(bin/kubernetes/kubectl get --raw "/apis/rest.ticketflow.dev/v1/namespaces/it/tickets/${name#*/}")"
hack/portal.py "$TICKETFLOW"
echo "The walk went as the README says."
