"""Known callbacks: WeChat's own vectors ([P1], wechat-api.md 5.2) and one of ours, under the same token and key."""

TOKEN = "AAAAA"
KEY = "A" * 43
OFFICIAL_APPID = "wxba5fad812f8e6fb9"

PUSH = (
    b'{"ToUserName":"gh_97417a04a28d","FromUserName":"o9AgO5Kd5ggOC-bXrbNODIiE3bGY","CreateTime":1714112445,'
    b'"MsgType":"event","Event":"debug_demo","debug_str":"hello world"}'
)
ENCRYPTED_PUSH = (
    "+qdx1OKCy+5JPCBFWw70tm0fJGb2Jmeia4FCB7kao+/Q5c/ohsOzQHi8khUOb05JCpj0JB4RvQMkUyus8TPxLKJGQqcvZqzDpVzazhZv6JsXUnnR8XG"
    "T740XgXZUXQ7vJVnAG+tE8NUd4yFyjPy7GgiaviNrlCTj+l5kdfMuFUPpRSrfMZuMcp3Fn2Pede2IuQrKEYwKSqFIZoNqJ4M8EajAsjLY2km32IIjdf"
    "8YL/P50F7mStwntrA2cPDrM1kb6mOcfBgRtWygb3VIYnSeOBrebufAlr7F9mFUPAJGj04="
)

ENCRYPTED_REPLY = "ELGduP2YcVatjqIS+eZbp80MNLoAUWvzzyJxgGzxZO/5sAvd070Bs6qrLARC9nVHm48Y4hyRbtzve1L32tmxSQ=="

EVENT = (
    b'{"ToUserName":"gh_97417a04a28d","FromUserName":"oTestOpenid0001","CreateTime":1620963428,"MsgType":"event",'
    b'"Event":"subscribe_msg_sent_event","List":{"TemplateId":"TPL_A","MsgID":"1864323726461255680","ErrorCode":"0",'
    b'"ErrorStatus":"success"}}'
)
ENCRYPTED_EVENT = (
    "uMMzGtqcnpOzXOYBwDQNrWcNxV+q7/MG7dCyvhgzjPMHoxfHtQxiHxrONHF1ymCFh036eS/3uvPYDPX7ugFxlK77GcjYReZt9UrrUsHxerWghOiDE97"
    "mICvSRIf11xpTPwFc5EQJ9eTT3VcaF87fJ/m0S2pBi7pB1VFaVYuTP+AEckChIkaXN4DX0Ckn4d6YXkzcR+qlR0JugeKCprwn3PN4zvGzugfexG4uw9"
    "4lSpDML+8ssSIGLyxZlbI25C3nGuW0f/Ejs7zH8SCs9gaOz5mRvQz51lV+uugHfsfN/qFbfx53hAcTmtIkK/AO/pFWkdbITzHA5PWbC7oh0iW5Cdlje"
    "Ucymagk6cE8Lb8UrXkmh1+WGORKlHk7R3LaSXAi"
)
