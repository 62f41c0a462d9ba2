#!/usr/bin/env python3
# Copyright The Ticketflow Authors.
# SPDX-License-Identifier: Apache-2.0
"""A portal as it was written against the older system: list, new, detail, act.

It knows workflows by name alone and learns the rest from what is answered. Of
each dialect that clients are known to speak it speaks one: a GET has the body
{}, JSON has no Content-Type, forms are urlencoded, and ids are texts.

    hack/portal.py http://127.0.0.1:8000
"""
import hashlib
import json
import os
import sys
import time
from http.client import HTTPConnection
from urllib.parse import urlencode, urlsplit


class Portal:
    def __init__(self, address, appname, token):
        self.host, self.appname, self.token = urlsplit(address).netloc, appname, token

    def request(self, username, method, url, query=None, data=None, form=None):
        timestamp = str(time.time())[:10]
        headers = {
            "timestamp": timestamp,
            "signature": hashlib.md5((timestamp + self.token).encode()).hexdigest(),
            "appname": self.appname,
            "username": username,
        }
        body = "{}" if method == "GET" else None
        if data is not None:
            body = json.dumps(data)
        if form is not None:
            body, headers["content-type"] = urlencode(form), "application/x-www-form-urlencoded"
        connection = HTTPConnection(self.host)
        connection.request(method, "/api/v1.0/" + url + ("?" + urlencode(query) if query else ""), body, headers)
        answer = connection.getresponse()
        result = json.loads(answer.read())
        connection.close()
        if answer.status != 200 or result["code"] != 0:
            raise SystemExit("%s %s by %s: %s %s" % (method, url, username, answer.status, result))
        return result["data"]


def new(portal, user, name, values):
    """Opens a ticket of the workflow of that name, its required fields filled."""
    found = portal.request(user, "GET", "workflows", {"name": name, "page": 1, "per_page": 100})["value"]
    workflow = next(w["id"] for w in found if w["name"] == name)
    start = portal.request(user, "GET", "workflows/%s/init_state" % workflow)
    form = {"workflow_id": str(workflow), "transition_id": str(start["transition"][0]["transition_id"]), "suggestion": "请尽快处理"}
    for field in start["field_list"]:
        if field["field_attribute"] == 2:
            form[field["field_key"]] = values[field["field_key"]]
    return portal.request(user, "POST", "tickets", form=form)["ticket_id"]


def act(portal, user, ticket):
    """Does the first thing that the user may do with a ticket on the to-do list."""
    duty = portal.request(user, "GET", "tickets", {"category": "duty", "ticket_ids": ticket})["value"]
    if not duty:
        return False
    item, url = duty[0], "tickets/%s" % ticket
    assert user in item["participant_info"]["participant_name"].split(","), item
    first = portal.request(user, "GET", url + "/transitions")["value"][0]
    print("%-26s %-10s %s" % (item["state"]["state_name"], user, first["transition_name"]))
    if first["is_accept"]:
        assert portal.request(user, "POST", url + "/accept") is True
        return True
    sent = {"transition_id": first["transition_id"], "suggestion": first["transition_name"]}
    for field in portal.request(user, "GET", url)["value"]["field_list"]:
        if field["field_attribute"] == 2:
            sent[field["field_key"]] = field["field_value"]
    assert portal.request(user, "PATCH", url, data=sent) == ""
    return True


def main(address):
    portal = Portal(address, "ops", os.environ.get("TICKETFLOW_TOKEN", "sample-token-do-not-keep"))
    ticket = new(portal, "lilei", "VPN申请", {"title": "VPN of the portal", "days": "5"})
    deadline = time.time() + 60
    while portal.request("lilei", "GET", "tickets/%s" % ticket)["value"]["act_state_id"] != 4:
        acted = any(act(portal, user, ticket) for user in ("lilei", "zhangsan", "guiji", "wangwu"))
        if not acted and time.time() > deadline:
            raise SystemExit("ticket %s does not come to its end" % ticket)
        if not acted:
            time.sleep(0.1)  # a script is at work
    logs = portal.request("lilei", "GET", "tickets/%s/flowlogs" % ticket)["value"]
    assert [log["transition"]["transition_name"] for log in reversed(logs)] == ["提交", "同意", "接单操作", "处理完成", "脚本执行完成", "确认完成"], logs
    steps = portal.request("lilei", "GET", "tickets/%s/flowsteps" % ticket)["value"]
    assert sum(len(step["state_flow_log_list"]) for step in steps) == len(logs), steps
    own = portal.request("lilei", "GET", "tickets", {"category": "owner", "is_end": "1", "title": "of the portal"})
    assert [item["id"] for item in own["value"]] == [ticket] and own["total"] == 1, own
    print("The portal's ticket %s came to its end." % ticket)


if __name__ == "__main__":
    main(sys.argv[1])
