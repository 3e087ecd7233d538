#!/usr/bin/perl
# check_config.t - das check of a das.lua: what cannot be read, secrets that are not there, grants and people that do not fit
# together; and the list of hooks with their addresses. No instance is opened and nothing is sent.
use strict;
use warnings;
use Test::More;
use Cwd qw(getcwd);
use File::Path qw(make_path);
use File::Temp qw(tempdir);
use JSON::PP;

my $das = $ENV{DAS} || getcwd() . '/build/das';
my $project = getcwd();
my $dir = tempdir(CLEANUP => 1);
chdir $dir or die;
delete @ENV{qw(DAS_CONFIG CREDENTIALS_DIRECTORY)};
$ENV{HOME} = $ENV{XDG_CONFIG_HOME} = $dir;

sub put { my ($path, $text, $mode) = @_; open my $f, '>', $path or die "$path: $!"; print $f $text; close $f; chmod $mode // 0600, $path }
sub check {
    my $out = `$das check @_ 2>$dir/err`;
    my $code = $? >> 8;
    open my $f, '<', "$dir/err";
    local $/;
    return { exit => $code, out => $out, err => <$f> // '' };
}

put('secret', "8f742231b10e8888abcd99yyyzzz85a5\n");
put('url', "https://hooks.slack.com/services/T/B/x\n");
put('open', "a secret\n", 0644);
put('list.jsonl', do { open my $in, '<', "$project/tests/samples/recording.jsonl" or die; local $/; <$in> });
put('mine.lua', "local req = ...\nreq.reply('hello')\n");
my $config = <<"LUA";
return {
  state = "$dir/state",
  instances = { orders = { source = "mem:list.jsonl", tags = { "prod" } } },
  serve = { url = "https://das.example.com" },
  people = { alice = { roles = { "dba" }, slack = "U1" }, bob = { roles = { "dba", "lead" }, slack = "U2" } },
  channels = { ops = { kind = "slack", url = { file = "url" } } },
  hooks = {
    slack = { platform = "slack", path = "/hooks/slack", verify = { secrets = { file = "secret" } }, allow = { roles = { "dba" } },
      commands = { mine = { script = "mine.lua" }, kill = { script = "hooks/kill.lua", allow = { roles = { "lead" } } } } },
    alerts = { platform = "alertmanager", path = "/hooks/alerts", verify = { tokens = { file = "secret" } }, channel = "ops",
      script = "hooks/alertmanager.lua" },
  },
  policies = { { script = "policies/long_select.lua", instances = { "tag:prod" }, every = "10s" } },
  scripts = {
    ["hooks/kill.lua"] = { mode = "approve", grants = { "preview", "kill", "notify:ops", "tag:prod" } },
    ["hooks/alertmanager.lua"] = { grants = { "preview", "runbook", "tag:prod" } },
    ["policies/long_select.lua"] = { grants = { "preview", "kill", "tag:prod" } },
    ["*"] = { grants = { "preview", "tag:prod" } },
  },
}
LUA

# --- nothing to find ----------------------------------------------------------------------------------------------------
put('das.lua', $config);
my $r = check();
is("$r->{exit}$r->{err}", '0', 'without a path it is the das.lua in use, and this one is right') or diag explain $r;
like($r->{out}, qr{^das\.lua: hook alerts: alertmanager at https://das\.example\.com/hooks/alerts: \S+/hooks/alertmanager\.lua; results to ops$}m,
    'a hook of machines, with its address, script and channel; the script is one of those that come with das');
like($r->{out}, qr{^das\.lua: hook slack: slack at https://das\.example\.com/hooks/slack: kill, mine; for alice, bob$}m, 'one of a chat, with commands and people');
like($r->{out}, qr{^das\.lua: channel ops: slack, incoming webhook$}m, 'a channel');
like($r->{out}, qr{^das\.lua: policy long_select: every 10 s, mode observe: it kills nothing by itself$}m, 'a policy');
like($r->{out}, qr{^\S+/mine\.lua|^\S+/kill\.lua: needs .*notify:\?}m, 'and the scripts that it names');
is((check('das.lua'))->{out}, $r->{out}, 'the same by its name');
my $answer = decode_json((check('-o', 'json', 'das.lua'))->{out});
is($answer->{findings}, 0, 'as JSON');
is_deeply([ map { "$_->{name} $_->{platform} $_->{url} @{$_->{commands}}" } @{ $answer->{files}[0]{hooks} } ],
    [ 'alerts alertmanager https://das.example.com/hooks/alerts ', 'slack slack https://das.example.com/hooks/slack kill mine' ], 'with the hooks');
ok((grep { $_->{path} =~ /mine\.lua$/ } @{ $answer->{files} }), 'and the scripts');
ok(!-e 'state', 'it makes no state directory');

# --- mistakes -----------------------------------------------------------------------------------------------------------
# Each: what is changed, into what, and what has to be said. das.lua has exactly one finding then.
sub mistake {
    my ($name, $from, $to, $want) = @_;
    (my $text = $config) =~ s/$from/$to/ or return fail("$name: nothing to change");
    put('bad.lua', $text);
    my $r = check('--config', 'bad.lua');
    my @found = grep { /^\S+?: ?(?:error|warning): / } split /\n/, $r->{out};
    ok($r->{exit} == 1 && @found == 1 && $found[0] =~ $want && $r->{err} eq '', $name) or diag explain $r;
}
mistake('no Lua', qr/return \{/, 'return {{', qr/^bad\.lua:\d+:1: error: /);
mistake('a key that is none', 'hooks = \{\n', "hook = {\n", qr/^bad\.lua: error: configuration: unknown key "hook"; did you mean "hooks"/);
mistake('a secret that is not there', 'secrets = \{ file = "secret"', 'secrets = { file = "nowhere"', qr/error: secret hooks\.slack\.verify\.secrets: nowhere: cannot open/);
mistake('one that everybody can read', 'secrets = \{ file = "secret"', 'secrets = { file = "open"', qr/everybody on this machine can read.*chmod 600/);
mistake('of the second of two, where the first is none of this machine', 'secrets = \{ file = "secret" \}', 'secrets = { { credential = "x" }, { file = "open" } }',
    qr/secret hooks\.slack\.verify\.secrets\[2\]: open/);
mistake('a secret of a channel', 'url = \{ file = "url"', 'url = { file = "nowhere"', qr/error: secret channels\.ops\.url: nowhere/);
mistake('a certificate that is not there', 'serve = \{', 'serve = { tls = { certificate = "no.pem", key = "secret" },', qr/error: serve\.tls\.certificate: no\.pem: No such file/);
mistake('a grant for a channel that is none', 'notify:ops', 'notify:opps', qr/warning: scripts\["\S+kill\.lua"\]\.grants: notify:opps: no channel "opps".*did you mean "ops"/);
mistake('for a tag that no instance has', '"runbook", "tag:prod"', '"runbook", "tag:prod", "tag:prd"', qr/grants: tag:prd: no instance has the tag "prd"/);
mistake('for an instance that is none', '"runbook", "tag:prod"', '"runbook", "tag:prod", "instance:order"', qr/grants: instance:order: no instance "order"; did you mean "orders"/);
mistake('for a secret that is none', '"runbook", "tag:prod"', '"runbook", "tag:prod", "secret:x"', qr/grants: secret:x: no secret "x"/);
mistake('a grant that is missing', '"kill", "notify:ops", "tag', '"kill", "tag', qr/warning: hooks\.slack\.commands\.kill: its script needs the grant notify:CHANNEL;/);
mistake('one for runbooks', '"runbook", ', '', qr/warning: hooks\.alerts: its script needs the grant runbook;/);
mistake('no instance to look at', '"runbook", "tag:prod"', '"runbook"', qr/warning: hooks\.alerts: its script may look at no instance/);
mistake('a mode that lets nobody ask', 'mode = "approve"', 'mode = "observe"', qr/warning: hooks\.slack\.commands\.kill: .* mode observe lets it neither kill nor ask/);
mistake('one of a policy', '"\\] = \\{ grants = \\{ "preview", "kill", "tag', '"] = { grants = { "preview", "tag', qr/warning: policies\[1\] \(long_select\): its script needs the grant kill;/);
mistake('nobody has an id there', 'platform = "slack", path = "/hooks/slack"', 'platform = "dingtalk", path = "/hooks/slack"', qr/warning: hooks\.slack\.allow: nobody in it has a dingtalk id in people/);
mistake('a command for nobody', 'allow = \{ roles = \{ "lead" \} \}', 'allow = { roles = { "guest" } }, help = "x"', qr/error: .*nobody of people has the role "guest"/);

(my $discord = $config) =~ s/platform = "slack", path = "\/hooks\/slack", verify = \{ secrets/platform = "discord", path = "\/hooks\/slack", verify = { public_keys/;
put('bad.lua', $discord);
like(check('--config', 'bad.lua')->{out}, qr/error: hooks\.slack\.verify\.public_keys: expected 64 hex digits/, 'a secret that cannot be one');
(my $telegram = $config) =~ s/platform = "slack", path = "\/hooks\/slack", verify = \{ secrets/platform = "telegram", path = "\/hooks\/slack", verify = { tokens/;
$telegram =~ s/slack = "U/telegram = "/g;
put('bad.lua', $telegram);
like(check('--config', 'bad.lua')->{out}, qr/warning: hooks\.slack\.channel: platform "telegram" names no address for results/, 'results that nobody sees');

# --- what is no finding -------------------------------------------------------------------------------------------------
(my $elsewhere = $config) =~ s/secrets = \{ file = "secret" \}/secrets = { credential = "slack" }/;
put('bad.lua', $elsewhere);
is(check('--config', 'bad.lua')->{exit}, 0, 'a credential of systemd is there where das serve runs');
(my $variable = $config) =~ s/url = \{ file = "url" \}/url = { env = "NOT_SET_HERE" }/;
put('bad.lua', $variable);
is(check('--config', 'bad.lua')->{exit}, 0, 'and so is a variable');

# --- scripts ------------------------------------------------------------------------------------------------------------
put('mine.lua', "local req = ...\nreq.reply(nme)\n");
$r = check();
ok($r->{exit} == 1 && $r->{out} =~ m{/mine\.lua:2:11: warning: undeclared global "nme"}, 'a mistake in a script that das.lua names') or diag explain $r;

# --- the command --------------------------------------------------------------------------------------------------------
$r = check('--config', 'nowhere.lua');
ok($r->{exit} == 1 && $r->{err} =~ /^das check: nowhere\.lua: No such file/, 'one that is not there') or diag explain $r;
make_path('empty');
chdir 'empty' or die;
$r = check();
ok($r->{exit} == 2 && $r->{err} =~ /^das check: which scripts\?/, 'neither a path nor a das.lua') or diag explain $r;

# --- as it is installed -------------------------------------------------------------------------------------------------
chdir $project or die;
my $build = $ENV{BUILD} || 'build';
is(system("make -s --no-print-directory BUILD=$build install PREFIX=/usr 'DESTDIR=$dir/root' >$dir/err 2>&1"), 0, 'make install');
$das = "$dir/root/usr/bin/das";
chdir $dir or die;
put('mine.lua', "local req = ...\nreq.reply('hello')\n");
$r = check();
is($r->{exit}, 0, 'the installed program takes the scripts that it came with') or diag explain $r;
like($r->{out}, qr{^\Q$dir\E/root/usr/share/das/hooks/kill\.lua: needs}m, 'from share/das');
(my $wrong = $config) =~ s{script = "hooks/alertmanager}{script = "hooks/alertmanger};
put('bad.lua', $wrong);
like(check('--config', 'bad.lua')->{out}, qr{hooks\.alerts\.script: there is no such script: "hooks/alertmanger\.lua", beside das\.lua or in \Q$dir\E/root/usr/share/das$}m,
    'and says where it has looked for one');
make_path('hooks');
put('hooks/alertmanager.lua', "local req = ...\nreq.reply('ours')\n");
like(check()->{out}, qr{^das\.lua: hook alerts: .*: \Q$dir\E/hooks/alertmanager\.lua; }m, 'one beside das.lua comes first');
done_testing();
