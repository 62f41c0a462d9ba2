# Source this file for `call`, which signs a request of the sample application:
#   call USER METHOD PATH [BODY]
# The signature is the MD5 of the time in seconds and the application's token.
call() {
  local timestamp signature
  timestamp=$(date +%s)
  signature=$(printf '%s%s' "$timestamp" "${TICKETFLOW_TOKEN:-sample-token-do-not-keep}" | md5sum | cut -d' ' -f1)
  curl -sS -X "$2" "${TICKETFLOW:-http://127.0.0.1:8000}/api/v1.0/$3" \
    -H "appname: ops" -H "username: $1" -H "timestamp: $timestamp" -H "signature: $signature" \
    ${4:+-H "Content-Type: application/json" -d "$4"}
  echo
}
