/*
 * A filter over Sendmail's own libmilter, for what no packaged filter says. The local part of MAIL tells it what
 * to do at the end of the message, and, where it begins with "at-", at which stage to do it. It prints what it is
 * told, one line an event, so that a test can compare.
 *
 * usage: libmilter SOCKET
 */
#include <libmilter/mfapi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct message {
	char sender[256];
};

static void tell(const char *event, const char *text)
{
	printf("%s %s\n", event, text == NULL ? "" : text);
	fflush(stdout);
}

static struct message *of(SMFICTX *ctx)
{
	struct message *message = smfi_getpriv(ctx);

	if (message == NULL) {
		message = calloc(1, sizeof *message);
		smfi_setpriv(ctx, message);
	}
	return message;
}

static int asks(SMFICTX *ctx, const char *what)
{
	return strncmp(of(ctx)->sender, what, strlen(what)) == 0;
}

static sfsistat on_connect(SMFICTX *ctx, char *host, _SOCK_ADDR *address)
{
	(void)address;
	of(ctx);
	tell("connect", host);
	return SMFIS_CONTINUE;
}

static sfsistat on_helo(SMFICTX *ctx, char *name)
{
	(void)ctx;
	tell("helo", name);
	return SMFIS_CONTINUE;
}

static sfsistat on_envfrom(SMFICTX *ctx, char **argv)
{
	char *i = smfi_getsymval(ctx, "i");

	snprintf(of(ctx)->sender, sizeof of(ctx)->sender, "%s", argv[0] + 1);
	tell("envfrom", argv[0]);
	for (argv++; *argv != NULL; argv++)
		tell("argument", *argv);
	tell("macro", i);
	if (asks(ctx, "at-envfrom-reject"))
		return SMFIS_REJECT;
	if (asks(ctx, "at-envfrom-shutdown")) {
		smfi_setreply(ctx, "421", "4.3.2", "closing");
		return SMFIS_TEMPFAIL;
	}
	return SMFIS_CONTINUE;
}

static sfsistat on_envrcpt(SMFICTX *ctx, char **argv)
{
	char *mailer = smfi_getsymval(ctx, "{rcpt_mailer}");

	tell("envrcpt", argv[0]);
	if (mailer != NULL)
		tell("rcpt_mailer", mailer);
	if (strncmp(argv[0], "<no", 3) == 0)
		return SMFIS_REJECT;
	if (strncmp(argv[0], "<later", 6) == 0)
		return SMFIS_TEMPFAIL;
	return SMFIS_CONTINUE;
}

static sfsistat on_data(SMFICTX *ctx)
{
	tell("data", "");
	if (asks(ctx, "at-data-discard"))
		return SMFIS_DISCARD;
	return SMFIS_CONTINUE;
}

static sfsistat on_header(SMFICTX *ctx, char *name, char *value)
{
	char line[1024];

	(void)ctx;
	snprintf(line, sizeof line, "%s|%s", name, value);
	for (char *end = line; (end = strchr(end, '\n')) != NULL;)
		*end = '~';
	tell("header", line);
	return SMFIS_NOREPLY;
}

static sfsistat on_eoh(SMFICTX *ctx)
{
	(void)ctx;
	tell("eoh", "");
	return SMFIS_CONTINUE;
}

static sfsistat on_body(SMFICTX *ctx, unsigned char *chunk, size_t octets)
{
	char text[32];

	(void)chunk;
	snprintf(text, sizeof text, "%zu", octets);
	tell("body", text);
	return asks(ctx, "skip") ? SMFIS_SKIP : SMFIS_CONTINUE;
}

static void edit(SMFICTX *ctx)
{
	char body[70000];

	smfi_progress(ctx);
	smfi_addheader(ctx, "X-Added", " at the end");
	smfi_insheader(ctx, 0, "X-Top", " at the top");
	smfi_insheader(ctx, 1, "X-Second", " folded\n\tonce");
	smfi_chgheader(ctx, "Subject", 1, " changed");
	smfi_chgheader(ctx, "X-Gone", 2, NULL);
	smfi_chgfrom(ctx, "<new@example.org>", "RET=HDRS ENVID=x");
	smfi_addrcpt(ctx, "<plain@example.org>");
	smfi_addrcpt_par(ctx, "<more@example.org>", "NOTIFY=NEVER");
	smfi_delrcpt(ctx, "<bob@example.org>");
	/* More than one frame of body, and a line that begins with a dot. */
	memset(body, 'b', sizeof body);
	for (size_t place = 99; place < sizeof body; place += 100)
		body[place] = '\n';
	body[100] = '.';
	smfi_replacebody(ctx, (unsigned char *)body, sizeof body);
	smfi_quarantine(ctx, "to be looked at");
}

static sfsistat on_eom(SMFICTX *ctx)
{
	tell("eom", smfi_getsymval(ctx, "{msg_id}"));
	if (asks(ctx, "edit")) {
		edit(ctx);
		return SMFIS_CONTINUE;
	}
	if (asks(ctx, "reply")) {
		smfi_setmlreply(ctx, "554", "5.7.1", "one", "two is 100%%", "three", NULL);
		return SMFIS_REJECT;
	}
	if (asks(ctx, "reject"))
		return SMFIS_REJECT;
	if (asks(ctx, "tempfail"))
		return SMFIS_TEMPFAIL;
	if (asks(ctx, "discard"))
		return SMFIS_DISCARD;
	if (asks(ctx, "accept"))
		return SMFIS_ACCEPT;
	return SMFIS_CONTINUE;
}

static sfsistat on_abort(SMFICTX *ctx)
{
	(void)ctx;
	tell("abort", "");
	return SMFIS_CONTINUE;
}

static sfsistat on_close(SMFICTX *ctx)
{
	free(smfi_getpriv(ctx));
	smfi_setpriv(ctx, NULL);
	tell("close", "");
	return SMFIS_CONTINUE;
}

static sfsistat on_unknown(SMFICTX *ctx, const char *command)
{
	(void)ctx;
	tell("unknown", command);
	return SMFIS_CONTINUE;
}

static sfsistat on_negotiate(SMFICTX *ctx, unsigned long actions, unsigned long steps, unsigned long f2,
	unsigned long f3, unsigned long *wants, unsigned long *keeps, unsigned long *o2, unsigned long *o3)
{
	(void)f2;
	(void)f3;
	*wants = actions;
	*keeps = SMFIP_SKIP | SMFIP_RCPT_REJ | SMFIP_NR_HDR | SMFIP_HDR_LEADSPC;
	*keeps &= steps;
	*o2 = *o3 = 0;
	smfi_setsymlist(ctx, SMFIM_ENVFROM, "i");
	smfi_setsymlist(ctx, SMFIM_EOM, "{msg_id}");
	return SMFIS_CONTINUE;
}

int main(int argc, char **argv)
{
	struct smfiDesc filter = {
		.xxfi_name = "libmilter",
		.xxfi_version = SMFI_VERSION,
		.xxfi_flags = SMFIF_ADDHDRS | SMFIF_CHGHDRS | SMFIF_CHGBODY | SMFIF_ADDRCPT | SMFIF_ADDRCPT_PAR
			| SMFIF_DELRCPT | SMFIF_QUARANTINE | SMFIF_CHGFROM | SMFIF_SETSYMLIST,
		.xxfi_connect = on_connect,
		.xxfi_helo = on_helo,
		.xxfi_envfrom = on_envfrom,
		.xxfi_envrcpt = on_envrcpt,
		.xxfi_header = on_header,
		.xxfi_eoh = on_eoh,
		.xxfi_body = on_body,
		.xxfi_eom = on_eom,
		.xxfi_abort = on_abort,
		.xxfi_close = on_close,
		.xxfi_unknown = on_unknown,
		.xxfi_data = on_data,
		.xxfi_negotiate = on_negotiate,
	};

	if (argc != 2)
		return 2;
	if (smfi_setconn(argv[1]) == MI_FAILURE || smfi_register(filter) == MI_FAILURE)
		return 1;
	return smfi_main() == MI_SUCCESS ? 0 : 1;
}
