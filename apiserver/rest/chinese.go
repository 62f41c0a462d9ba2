// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package rest

import (
	"fmt"
	"net/http"

	"golang.org/x/text/language"

	"ticketflow.dev/ticketflow/apiserver/backend"
	"ticketflow.dev/ticketflow/engine"
)

// languages that messages can be had in; the first is the default.
var languages = language.NewMatcher([]language.Tag{language.English, language.Chinese})

// say words a refusal in the language that the request asks for. Names of
// fields, keys and headers stay as they are.
func say(r *http.Request, failure *backend.Failure) string {
	wanted, _, err := language.ParseAcceptLanguage(r.Header.Get("Accept-Language"))
	if err != nil || len(wanted) == 0 {
		return failure.Message
	}
	if _, index, confidence := languages.Match(wanted...); index == 0 || confidence == language.No {
		return failure.Message
	}
	if failure.Phrase.Format == "" {
		// It was read from the ticket's status, where it is in English.
		return fmt.Sprintf("%s(%s)", chineseReasons[failure.Reason], failure.Message)
	}
	return failure.Phrase.In(func(format string) string {
		if translated, ok := chinese[format]; ok {
			return translated
		}
		return format
	})
}

// chinese has every phrase of the engine's and this surface's; a test looks
// that none is missing, and that each speaks of the same things.
var chinese = map[string]string{
	// The engine's.
	"the ticket needs no accepting: state %q has one participant or is not distributed by claim": "工单无需接单: 状态%q只有一个处理人, 或其分配方式不是主动接单",
	"%q has nothing to do with the ticket and may not look at it":                                "%q与该工单无关, 无权查看",
	"the ticket has ended: nobody can be given it":                                               "工单已结束, 不能转交",
	"nobody was asked to sign: there is no add_node to end":                                      "工单不在加签中, 没有可完成的加签",
	"the ticket's workflow has no state %q":                                                      "工单的工作流没有状态%q",
	"nobody would act in state %q: its participants resolve to no one":                           "状态%q没有处理人: 其参与人解析后为空",
	"%q may not change fields: that is for participants, the creator and admins":                 "%q无权修改字段: 仅限处理人、创建人和管理员",
	"without a username, fields are changed only by an application that may intervene":           "没有username时, 只有被授权干预的应用可以修改字段",
	"the ticket has ended: only admins may change its fields":                                    "工单已结束, 仅管理员可修改其字段",
	"no field is named":                             "没有指定任何字段",
	"%q is no field of the workflow":                "%q不是该工作流的字段",
	"only the creator %q may take the ticket back":  "只有创建人%q可以撤回工单",
	"the ticket cannot be taken back from state %q": "状态%q不允许撤回工单",
	"the ticket has ended already":                  "工单已经结束",
	"the workflow's revision has no state %q":       "工作流的该版本没有状态%q",
	"there is no command %q":                        "没有命令%q",
	"there is no action %q":                         "没有操作%q",
	"suggestion has %d characters, at most %d fit":  "suggestion有%d个字符, 最多%d个",
	"the ticket cannot be written":                  "工单无法写入",
	"the fields have more than %d bytes":            "字段超过%d字节",
	"the ticket would become larger than %d bytes":  "工单将超过%d字节",
	"missing fields: %s; invalid fields: %s":        "缺少字段: %s; 无效字段: %s",
	"missing fields: %s":                            "缺少字段: %s",
	"%s":                                            "%s",
	"%s; invalid fields: %s":                        "%s; 无效字段: %s",
	"invalid fields: %s":                            "无效字段: %s",
	"%s %v":                                         "%s %v",
	"is not a text":                                 "不是文本",
	"has %d characters, at most %d fit":             "有%d个字符, 最多%d个",
	"several people wait for the ticket in state %q: accept it first":            "状态%q有多个处理人, 请先接单",
	"the ticket is with an added signer: only the end of add_node is possible":   "工单正在加签中, 只能进行加签完成操作",
	"transition %q leaves state %q, but the ticket is in state %q":               "流转%q从状态%q出发, 但工单处于状态%q",
	"state %q has no transition %q; it has %s":                                   "状态%q没有流转%q, 可用的流转: %s",
	"state %q and those behind it skip each other in a circle: nobody would act": "状态%q及其后的状态循环跳过, 没有人处理",
	"transition %q: the condition %s cannot be decided: %v":                      "流转%q: 条件%s无法判断: %v",
	"transition %q: the condition %s reads the field %s, which has no value":     "流转%q: 条件%s读取了没有值的字段%s",
	"there is no such workflow for the application":                              "该应用没有这个工作流",
	"the workflow %q is suspended: it opens no new tickets":                      "工作流%q已暂停, 不能新建工单",
	"%q is not among the users who may open tickets of this workflow":            "%q不在允许新建该工作流工单的用户中",
	"%q is not in a department that may open tickets of this workflow":           "%q所在部门不允许新建该工作流的工单",
	"%q has no role that may open tickets of this workflow":                      "%q没有允许新建该工作流工单的角色",
	"%d tickets were opened within %s, and no more than %d may be":               "%[2]s内已新建%[1]d个工单, 最多允许%[3]d个",
	"the start state has several transitions: name the one to open with":         "开始状态有多个流转, 请指定其中一个",
	"transition %q does not lead on from the start state":                        "流转%q不从开始状态出发",
	"parent_ticket_id: there is no such ticket beside this one":                  "parent_ticket_id: 同一空间内没有该工单",
	"parent_ticket_state_id: the parent ticket's workflow has no state %q":       "parent_ticket_state_id: 父工单的工作流没有状态%q",
	"parent_ticket_state_id: the parent ticket has left state %q":                "parent_ticket_state_id: 父工单已离开状态%q",
	"state %q takes its participants from the parent ticket, and there is none":  "状态%q的处理人取自父工单, 但没有父工单",
	"state %q takes its participants from the parent ticket, which is gone":      "状态%q的处理人取自父工单, 但父工单已不存在",
	"there is no application %q":                                                 "没有应用%q",
	"there is no such ticket":                                                    "没有该工单",
	"%q is a reserved name: nobody acts as it":                                   "%q是保留名称, 不能以其身份操作",
	"the Kubernetes user %q is not the user %q":                                  "Kubernetes用户%q不是用户%q",
	"the user %q is not active":                                                  "用户%q未激活",
	"there is no user %q":                                                        "没有用户%q",
	"the ticket has ended: nobody can handle it any more":                        "工单已结束, 不能再处理",
	"%q is not a current participant of the ticket":                              "%q不是工单的当前处理人",
	"%q may not %s: that needs an administrator or an admin of the workflow":     "%q无权%s: 需要管理员或工作流管理员",
	"deliver as an administrator":                                                "以管理员身份转交",
	"force a state":                                                              "强制修改状态",
	"close the ticket":                                                           "关闭工单",
	"delete the ticket":                                                          "删除工单",
	"target_username: %q is not one user name":                                   "target_username: %q不是一个用户名",
	"%q is not one user name":                                                    "%q不是一个用户名",
	"target_username: %q is a reserved name":                                     "target_username: %q是保留名称",
	"target_username: there is no user %q":                                       "target_username: 没有用户%q",
	"target_username: the user %q is not active":                                 "target_username: 用户%q未激活",
	"state %q has no transition":                                                 "状态%q没有流转",
	"%s is no field of the workflow":                                             "%s不是该工作流的字段",
	"%q may not retry the script: that is for related people and admins":         "%q无权重试脚本: 仅限相关人员和管理员",
	"there is no failed script or hook to retry in state %q":                     "状态%q没有可重试的失败脚本或hook",
	"the ticket does not wait for a hook in state %q":                            "工单在状态%q并不等待hook",
	"does not satisfy %s":                                                        "不满足%s",
	"a date like 2018-04-10":                                                     "形如2018-04-10的日期",
	"a time like 2018-04-10 17:39:33":                                            "形如2018-04-10 17:39:33的时间",
	"is not a whole number":                                                      "不是整数",
	"is not a number":                                                            "不是数字",
	"is neither true nor false":                                                  "既不是true也不是false",
	"is not %s":                                                                  "不是%s",
	"is not valid UTF-8":                                                         "不是有效的UTF-8",
	"is not one of the choices %s":                                               "不是选项%s之一",
	"%q is not one of the choices %s":                                            "%q不是选项%s之一",
	"is not one user name":                                                       "不是一个用户名",
	"is not a list of paths":                                                     "不是路径列表",
	"is not a list of user names":                                                "不是用户名列表",
	"is neither a list nor a text with commas":                                   "既不是列表也不是逗号分隔的文本",

	// Those about who calls.
	"authorization: Kubernetes does not know the token":                                                                  "authorization: Kubernetes不认识该令牌",
	"username: the Kubernetes user %q is not the user %q":                                                                "username: Kubernetes用户%q不是用户%q",
	"appname: there is no application %q; an administrator can add it":                                                   "appname: 应用%q未授权, 请联系管理员添加",
	"the application %q has no usable token; an administrator can mend it":                                               "应用%q没有可用的token, 请联系管理员",
	"username: it is too long":                                                                                           "username: 过长",
	"%s: %q is not known, only %s is":                                                                                    "%s: 不支持%q, 只支持%s",
	"signature: it is not the one of timestamp and token of %q":                                                          "signature: 与timestamp和%q的token不符",
	"signature: the application %q takes only the stronger signature %s":                                                 "signature: 应用%q只接受更强的签名%s",
	"signature: without an appname, it must be the one of timestamp and the token of the hook that the ticket waits for": "signature: 没有appname时, 必须用timestamp和工单所等待的hook的token签名",
	"the header %s is missing":                                                                                           "缺少请求头%s",
	"timestamp: %q is no Unix time in seconds":                                                                           "timestamp: %q不是以秒为单位的Unix时间",
	"timestamp: it must be within %d seconds of the server's time":                                                       "timestamp: 与服务器时间相差不得超过%d秒",
	"%s: it must have %d to %d characters":                                                                               "%s: 长度须为%d到%d个字符",
	"signature: it is not the %s of this request and the token of %q":                                                    "signature: 不是该请求与%[2]q的token的%[1]s",
	"the body is larger than %d bytes":                                                                                   "请求体超过%d字节",
	"the body could not be read":                                                                                         "请求体无法读取",
	"%s: a request with it was taken already":                                                                            "%s: 已经用过",
	"too many signed requests are remembered: try again in a few minutes":                                                "签名请求过多, 请几分钟后再试",

	// Those about what happens to an action.
	"other actions on the ticket took too long: nothing was recorded, try again": "工单上的其他操作耗时过长: 本次未记录, 请重试",
	"the action %s is recorded and stands, but is not decided yet":               "操作%s已记录并有效, 但尚未处理完",
	"the ticket is gone":                   "工单已不存在",
	"the workflow %q opens no tickets: %s": "工作流%q不能新建工单: %s",
	"the action was refused: %s":           "操作被拒绝: %s",
	"the ticket was refused: %s":           "工单被拒绝: %s",
	"the workflow %q is not ready: %s":     "工作流%q尚未就绪: %s",

	// Those about requests.
	"is nobody's":  "不属于任何用户",
	"is no role's": "不属于任何角色",
	"transition_id: the ticket's state %q has no transition with the id %d; it has %s": "transition_id: 工单当前状态%q没有ID为%d的流转, 可用的流转: %s",
	"state_id: the ticket's workflow has no state with the id %d":                      "state_id: 工单的工作流没有ID为%d的状态",
	"transition_id: %d does not lead on from the start state of workflow %d":           "transition_id: %d不从工作流%d的开始状态出发",
	"parent_ticket_state_id: ticket %d has no state %d":                                "parent_ticket_state_id: 工单%d没有状态%d",
	"is missing":                       "缺失",
	"is not an object":                 "不是对象",
	"the server is starting":           "服务正在启动",
	"ticket_id: there is no ticket %d": "ticket_id: 没有工单%d",
	"workflow_id: there is no workflow %d for this application":                                                  "workflow_id: 该应用没有工作流%d",
	"state_id: there is no state %d here":                                                                        "state_id: 这里没有状态%d",
	"not everybody may look at ticket %d, and no user is named":                                                  "工单%d并非人人可看, 而请求没有指明用户",
	"%q has nothing to do with ticket %d and may not look at it":                                                 "%q与工单%d无关, 无权查看",
	"%q may not read this: it is for administrators":                                                             "%q无权查看, 仅限管理员",
	"is a form in parts: send JSON or application/x-www-form-urlencoded":                                         "是multipart表单: 请发送JSON或application/x-www-form-urlencoded",
	"the Kubernetes user %q is no user: no users.ticketflow.dev has that name or lists it under spec.identities": "Kubernetes用户%q不是用户: 没有名称为它或在spec.identities中列出它的users.ticketflow.dev",
	"the header username is missing":                                                                             "缺少请求头username",
	"there is no endpoint %s":                                                                                    "没有接口%s",
	"the endpoint %s has no method %s":                                                                           "接口%s不支持方法%s",
	"%s %s":                                                                                                      "%s %s",
	"the body %s":                                                                                                "请求体%s",
	"the body has an unknown key %q":                                                                             "请求体有未知的键%q",
	"too many requests are being served: try again":                                                              "请求过多, 请稍后再试",
	"is empty":                         "为空",
	"is not a JSON object":             "不是JSON对象",
	"has too many parameters":          "参数过多",
	"is not an id":                     "不是id",
	"is neither 0 nor 1":               "既不是0也不是1",
	"is not a date like 2018-04-10":    "不是形如2018-04-10的日期",
	"is not a list of ids with commas": "不是逗号分隔的id列表",
	"is not a date or time like 2018-04-10 or 2018-04-10 17:39:33": "不是形如2018-04-10或2018-04-10 17:39:33的日期或时间",
	"must be from 1 to %d":                                 "须在1到%d之间",
	"must be one of all, owner, duty, relation and worked": "须为all, owner, duty, relation, worked之一",
	internalText: "服务内部出错; 请求头X-Request-Id中的请求编号在日志中可查",
}

// chineseReasons are said where only the reason and an English message are known.
var chineseReasons = map[engine.Reason]string{
	backend.ReasonMissingCredentials: "缺少凭证", engine.ReasonUnknownApplication: "应用未授权", backend.ReasonBadSignature: "签名无效",
	backend.ReasonExpired: "签名已过期", backend.ReasonReplayed: "请求重复", engine.ReasonUnknownUser: "用户不存在",
	backend.ReasonBadBody: "请求体无效", engine.ReasonBadParameter: "参数无效", engine.ReasonUnknownKey: "未知的键", engine.ReasonTooLarge: "过大",
	engine.ReasonUnknownTicket: "工单不存在", engine.ReasonUnknownWorkflow: "工作流不存在", engine.ReasonUnknownState: "状态不存在",
	engine.ReasonUnknownTransition: "流转不存在", engine.ReasonWorkflowNotReady: "工作流未就绪", engine.ReasonNotParticipant: "不是当前处理人",
	engine.ReasonNotCreator: "不是创建人", engine.ReasonNotAllowed: "无权限", engine.ReasonLimitReached: "超出新建限制",
	engine.ReasonAcceptFirst: "请先接单", engine.ReasonNothingToAccept: "无需接单", engine.ReasonInAddNode: "加签中", engine.ReasonNotInAddNode: "不在加签中",
	engine.ReasonNothingToDo: "无可操作", engine.ReasonWrongState: "状态不符", engine.ReasonNotRetreatable: "不允许撤回",
	engine.ReasonNotRetryable: "不可重试", engine.ReasonNotWaitingForHook: "不在等待hook", engine.ReasonParentElsewhere: "父工单不符",
	engine.ReasonMissingFields: "缺少字段", engine.ReasonInvalidFields: "字段无效", engine.ReasonNoParticipants: "没有处理人",
	engine.ReasonConditionFailed: "条件无法判断", engine.ReasonConflict: "冲突", backend.ReasonBusy: "繁忙", backend.ReasonPending: "处理中",
	backend.ReasonUnavailable: "服务不可用", engine.ReasonInternal: "内部错误",
}
