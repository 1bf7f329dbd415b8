/*
 * An authentication plugin for a real MySQL server, that stands for AWSAuthenticationPlugin: it asks
 * the client for its password in clear, and takes the one text that the account was made with:
 *   CREATE USER dba IDENTIFIED WITH token_auth AS '<token>' REQUIRE SSL
 * MySQL's own plugins of that kind are not in Debian's mysql-server-core. No header for server
 * plugins is in Debian either: these are the parts of the interface that are used, in their order
 * (MySQL 9.7 reference manual, "Writing Authentication Plugins"; include/mysql/plugin.h,
 * plugin_auth.h and plugin_auth_common.h there).
 */
#include <string.h>

enum { AUTHENTICATION_PLUGIN = 7, AUTHENTICATION_INTERFACE = 0x0201, PLUGIN_INTERFACE = 0x010B };
enum { REFUSED = 0, ACCEPTED = -1 };

struct connection {
	int (*read_packet)(struct connection *, unsigned char **);
	int (*write_packet)(struct connection *, const unsigned char *, int);
};

struct account { /* its beginning */
	char *user;
	unsigned int user_length;
	const char *text;
	unsigned long text_length;
};

struct authentication {
	int interface;
	const char *client_plugin;
	int (*authenticate)(struct connection *, struct account *);
	int (*generate)(char *, unsigned int *, const char *, unsigned int);
	int (*validate)(char *const, unsigned int);
	int (*set_salt)(const char *, unsigned int, unsigned char *, unsigned char *);
	unsigned long flags;
	int (*compare)(const char *, unsigned long, const char *, unsigned long, int *);
};

struct plugin {
	int type;
	void *info;
	const char *name, *author, *description;
	int license;
	int (*init)(void *), (*check_uninstall)(void *), (*deinit)(void *);
	unsigned int version;
	void *status_variables, *system_variables, *reserved;
	unsigned long flags;
};

static int authenticate(struct connection *c, struct account *a)
{
	unsigned char *password;
	int length = c->read_packet(c, &password);

	if (length <= 0 || password[length - 1] != 0 || (unsigned long)length - 1 != a->text_length)
		return REFUSED;
	return memcmp(password, a->text, a->text_length) == 0 ? ACCEPTED : REFUSED;
}

static int generate(char *out, unsigned int *out_length, const char *in, unsigned int in_length)
{
	if (*out_length < in_length)
		return 1;
	memcpy(out, in, in_length);
	*out_length = in_length;
	return 0;
}

static int validate(char *const text, unsigned int length) { return 0; }

static int set_salt(const char *text, unsigned int length, unsigned char *salt, unsigned char *salt_length)
{
	*salt_length = 0;
	return 0;
}

static struct authentication token_auth = {
	AUTHENTICATION_INTERFACE, "mysql_clear_password", authenticate, generate, validate, set_salt, 0, 0,
};

int _mysql_plugin_interface_version_ = PLUGIN_INTERFACE;
int _mysql_sizeof_struct_st_plugin_ = sizeof(struct plugin);
struct plugin _mysql_plugin_declarations_[] = {
	{AUTHENTICATION_PLUGIN, &token_auth, "token_auth", "mysql-secret-store-rds", "takes a token, in clear", 0, 0, 0, 0, 0x0100, 0, 0, 0, 0},
	{0},
};
