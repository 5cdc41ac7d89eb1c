-- Every event of a session, as miltertest tells them, against the filter at `socket`; in the order they come.
-- `mode` names the MTA: "new" knows all steps, "old" is of version 2 and waits for an answer to everything.

-- miltertest says nothing of why a script ended; an option that was not agreed on is an error of its own.
local function fail(what)
    mt.echo("not so: " .. what)
    error(what)
end

local function well(said, what)
    if said ~= nil then fail(what .. ": " .. said) end
end

local function goes_on(conn, what)
    local reply = mt.getreply(conn)
    if reply ~= SMFIR_CONTINUE then fail(what .. ": answer " .. string.char(reply)) end
end

local function is(truth, what)
    if not truth then fail(what) end
end

local conn = mt.connect(socket)
is(conn, "no connection")
if mode == "old" then
    well(mt.negotiate(conn, 2, 0x3f, 0x7f), "options")
else
    -- All that it knows; given numbers, it would offer the actions as steps.
    well(mt.negotiate(conn, nil, nil, nil), "options")
    for name, step in pairs({
        unknown = SMFIP_NOUNKNOWN, data = SMFIP_NODATA, leading = SMFIP_HDR_LEADSPC, skip = SMFIP_SKIP,
        connect = SMFIP_NR_CONN, helo = SMFIP_NR_HELO, mail = SMFIP_NR_MAIL, rcpt = SMFIP_NR_RCPT,
        header = SMFIP_NR_HDR, eoh = SMFIP_NR_EOH, body = SMFIP_NR_BODY,
    }) do
        is(mt.test_option(conn, step), name .. " is not what the filter wants")
    end
    is(not mt.test_option(conn, SMFIP_NOBODY), "it wants no body")
end
for name, action in pairs({ add = SMFIF_ADDHDRS, change = SMFIF_CHGHDRS, rcpt = SMFIF_ADDRCPT, hold = SMFIF_QUARANTINE }) do
    is(mt.test_action(conn, action), name .. " is not what the filter does")
end
is(not mt.test_action(conn, SMFIF_CHGBODY), "it changes bodies")

-- The header of a message: `extra` comes first.
local function message(from, extra)
    well(mt.macro(conn, SMFIC_MAIL, "i", "4Test"), "macros of MAIL")
    well(mt.mailfrom(conn, "<" .. from .. ">", "SIZE=100"), "MAIL")
    goes_on(conn, "MAIL")
    well(mt.macro(conn, SMFIC_RCPT, "rcpt_mailer", "local"), "macros of RCPT")
    well(mt.rcptto(conn, "<bob@ours.example>"), "RCPT")
    goes_on(conn, "RCPT")
    well(mt.rcptto(conn, "<carl@ours.example>", "NOTIFY=NEVER"), "RCPT")
    goes_on(conn, "RCPT")
    -- RFC 5321 sessions have DATA; the filter says that it need not know.
    if mode == "old" then
        is(not mt.test_option(conn, SMFIP_NODATA), "a step of a later version")
    else
        is(not pcall(mt.data, conn), "DATA is told to a filter that wants none")
        is(not pcall(mt.unknown, conn, "TURN"), "an unknown command is told to a filter that wants none")
    end
    for _, field in ipairs(extra) do
        well(mt.header(conn, field[1], field[2]), "a field")
        goes_on(conn, "a field")
    end
    for name, value in pairs({ From = from, To = "bob@ours.example", Subject = "folded\n over two lines" }) do
        well(mt.header(conn, name, value), "a field")
        goes_on(conn, "a field")
    end
    well(mt.eoh(conn), "the end of the header")
    goes_on(conn, "the end of the header")
end

well(mt.macro(conn, SMFIC_CONNECT, "j", "mta.example", "{daemon_name}", "MTA"), "macros of a connection")
well(mt.conninfo(conn, "client.example", "192.0.2.1"), "a connection")
goes_on(conn, "a connection")
well(mt.macro(conn, SMFIC_HELO, "{tls_version}", "TLSv1.3"), "macros of HELO")
well(mt.helo(conn, "client.example"), "HELO")
goes_on(conn, "HELO")

-- What is dropped leaves nothing behind.
message("gone@copied.example", {})
well(mt.bodystring(conn, "never ends"), "a body")
well(mt.abort(conn), "an abort")

-- A message with edits of every kind that the filter knows.
message("ann@copied.example", {
    { "Authentication-Results", "mx.example.org; dkim=pass" },
    { "Authentication-Results", "other.example; dkim=pass" },
})
well(mt.bodystring(conn, "Hi.\r\n"), "a body")
goes_on(conn, "a body")
well(mt.bodyrandom(conn, 100000), "a large body")
goes_on(conn, "a large body")
well(mt.eom(conn), "the end")
goes_on(conn, "the end")
is(mt.eom_check(conn, MT_HDRINSERT, "Authentication-Results"), "no verdict")
is(mt.eom_check(conn, MT_HDRDELETE, "Authentication-Results"), "the forged verdict stays")
is(mt.eom_check(conn, MT_RCPTADD, "<copy@ours.example>"), "no copy")
is(not mt.eom_check(conn, MT_QUARANTINE), "it is held")
is(not mt.eom_check(conn, MT_BODYCHANGE), "its body is changed")
local told = mt.getheader(conn, "Authentication-Results", 0)
is(string.find(told, "spf=pass", 1, true), told)

-- What its author's policy wants held, and, on the same connection, what it wants refused.
message("ann@hold.example", {})
well(mt.bodystring(conn, "Hi.\r\n"), "a body")
well(mt.eom(conn), "the end")
goes_on(conn, "the end")
is(mt.eom_check(conn, MT_QUARANTINE), "it is not held")
is(not mt.eom_check(conn, MT_RCPTADD, "<copy@ours.example>"), "a copy out of the message before")

message("ann@refuse.example", {})
well(mt.bodystring(conn, "Hi.\r\n"), "a body")
well(mt.eom(conn), "the end")
is(mt.getreply(conn) == SMFIR_REPLYCODE, "it is not refused")
local why = "this message fails the DMARC policy of refuse.example"
is(mt.eom_check(conn, MT_SMTPREPLY, "550", "5.7.26", why), "it is refused in other words")
is(not mt.eom_check(conn, MT_HDRINSERT), "what is refused is changed")

-- A goodbye, and a client that simply goes.
well(mt.disconnect(conn), "a goodbye")
local rude = mt.connect(socket)
well(mt.conninfo(rude, nil, "unspec"), "a connection of no family")
well(mt.mailfrom(rude, "<>"), "the null reverse-path")
well(mt.disconnect(rude, false), "an abrupt end")
mt.echo("all events told")
