#!/usr/bin/perl
# notify.t - das.notify and das notify against servers that act as the platforms and check every
# signature by themselves, and against an SMTP server; what waits, over runs that end.
use strict;
use warnings;
use lib 'tests/e2e/lib';
use Test::More;
use Das;
use Digest::SHA qw(hmac_sha256);
use File::Temp qw(tempdir);
use JSON::PP;
use MailServer;
use MIME::Base64;
use WebServer;

my $dir = tempdir('das-notify-XXXXXX', TMPDIR => 1, CLEANUP => 1);
my $feishu_secret = 'feishu-signing-secret';
my $ding_secret = 'SEC0123456789abcdef';
my $hook_key = 'C2FVsBQIhrscChlQIMV+b5sSYspob7oD';

sub answer { return [ $_[0], { 'Content-Type' => 'application/json' }, encode_json($_[1]) ] }

# --- the platforms --------------------------------------------------------------------------------

sub feishu_bot {
    my ($r, $body) = @_;
    my $stamp = $body->{timestamp} // '';
    return answer(200, { code => 19021, msg => 'sign match fail or timestamp is not within one hour' })
        if $stamp !~ /^\d+$/ || abs(time - $stamp) > 3600
        || $body->{sign} ne encode_base64(hmac_sha256('', "$stamp\n$feishu_secret"), '');
    return answer(200, { code => 9499, msg => 'Bad Request' }) if length $r->{body} > 20000;
    return answer(200, { code => 0, msg => 'success' });
}

sub dingtalk {
    my ($r, $body) = @_;
    my ($stamp, $sign) = $r->{path} =~ /&timestamp=(\d+)&sign=(\S+)/;
    $sign =~ s/%(..)/chr hex $1/ge if $sign;
    return answer(200, { errcode => 310000, errmsg => 'sign not match' })
        if !$sign || abs(time * 1000 - $stamp) > 3600000
        || $sign ne encode_base64(hmac_sha256("$stamp\n$ding_secret", $ding_secret), '');
    return answer(200, { errcode => 0, errmsg => 'ok' });
}

sub standard_webhook {
    my ($r) = @_;
    my ($id, $stamp, $sign) = map { $r->{headers}{"webhook-$_"} // '' } qw(id timestamp signature);
    my $want = 'v1,' . encode_base64(hmac_sha256("$id.$stamp.$r->{body}", decode_base64($hook_key)), '');
    return answer(401, { error => 'signature' }) if abs(time - $stamp) > 300 || $sign ne $want;
    return [ 204, {} ];
}

my $busy = "$dir/busy";    # while it is there, Slack's webhook is too busy
my $web = WebServer->new(handler => sub {
    my ($r, $client) = @_;
    my $body = eval { decode_json($r->{body}) };
    local $_ = $r->{path};
    return [ 200, { 'X-Said' => $r->{headers}{'x-key'} // '' }, '' ] if m{^/echo$};
    return [ 400, {}, 'invalid_payload' ] if !$body;
    if (m{^/services/T0/B0/slack-url-secret}) {
        return [ 429, { 'Retry-After' => 1 }, 'rate_limited' ] if -e $busy;
        return [ 400, {}, 'invalid_blocks' ] if @{ $body->{blocks} } > 50;
        return [ 200, {}, 'ok' ];
    }
    if (m{^/slack/chat\.(postMessage|update)}) {
        return answer(200, { ok => JSON::PP::false, error => 'invalid_auth' })
            if ($r->{headers}{authorization} // '') ne 'Bearer xoxb-slack-token';
        return answer(200, { ok => JSON::PP::false, error => 'message_not_found' })
            if $1 eq 'update' && ($body->{ts} ne '1700000000.000100' || $body->{channel} ne 'C024BE91L');
        return answer(200, { ok => JSON::PP::true, channel => 'C024BE91L', ts => '1700000000.000100' });
    }
    return feishu_bot($r, $body) if m{^/open-apis/bot/v2/hook/feishu-url-secret$};
    if (m{/tenant_access_token/internal$}) {
        return answer(200, { code => 10003, msg => 'invalid param' }) if $body->{app_secret} ne 'feishu-app-secret';
        return answer(200, { code => 0, tenant_access_token => 't-g1044', expire => 7200 });
    }
    if (m{^/feishu/open-apis/im/v1/messages}) {
        return answer(400, { code => 99991663, msg => 'Invalid access token' })
            if ($r->{headers}{authorization} // '') ne 'Bearer t-g1044';
        return answer(400, { code => 230001, msg => 'content is no card' }) if !eval { JSON::PP->new->decode($body->{content}) };
        return answer(200, { code => 0, data => { message_id => 'om_dc13264520392913993dd051dba21dcf' } });
    }
    return dingtalk($r, $body) if m{^/robot/send\?access_token=ding-token};
    return answer(200, { errcode => 0, errmsg => 'ok' }) if m{^/cgi-bin/webhook/send\?key=wecom-key$};
    return [ 202, {} ] if m{^/workflows/teams};
    return answer(200, { id => '1122334455' }) if m{^/api/webhooks/9/discord-token(/messages/1122334455$|\?wait=true$)};
    return answer(200, { ok => JSON::PP::true, result => { message_id => 7 } })
        if m{^/bot42:telegram-token/(sendMessage|editMessageText)$};
    return [ 200, {}, 'ok' ] if m{^/hooks/mattermost-key$};
    if (m{^/v2/enqueue$}) {
        return answer(400, { status => 'invalid event', errors => ['routing_key'] }) if $body->{routing_key} ne 'pagerduty-key';
        return answer(202, { status => 'success', dedup_key => $body->{dedup_key} });
    }
    if (m{^/am/api/v2/alerts$}) {
        return [ 401, {}, '' ] if ($r->{headers}{authorization} // '') ne 'Basic ' . encode_base64('das:am-password', '');
        return [ 200, {}, '' ];
    }
    return standard_webhook($r) if m{^/hook$};
    if (m{^/slow}) { sysread $client, my $gone, 1; return }    # until whoever asks is killed
    return [ 404, {}, "nothing at $_" ];
});
my $url = "http://127.0.0.1:$web->{port}";

# --- the configuration ----------------------------------------------------------------------------

my %secret = (
    slack => "$url/services/T0/B0/slack-url-secret", slackbot => 'xoxb-slack-token',
    feishu => "$url/open-apis/bot/v2/hook/feishu-url-secret", feishusign => $feishu_secret,
    feishuapp => 'feishu-app-secret', ding => "$url/robot/send?access_token=ding-token",
    dingsign => $ding_secret, wecom => "$url/cgi-bin/webhook/send?key=wecom-key",
    teams => "$url/workflows/teams?sig=teams-sig", discord => "$url/api/webhooks/9/discord-token",
    telegram => '42:telegram-token', mattermost => "$url/hooks/mattermost-key", pagerduty => 'pagerduty-key',
    am => 'am-password', hook => "$url/hook", hookkey => "whsec_$hook_key", wrong => 'SECwrong-secret',
    gone => "$url/gone/gone-url-secret", mail => 'mail password', slow => "$url/slow/slow-url-secret",
);
for my $name (keys %secret) {
    open my $out, '>', "$dir/$name" or die;
    chmod 0600, $out;
    print $out $secret{$name};
}
sub at { return "{ file = '$dir/$_[0]' }" }

sub config {
    my ($name, $channels, $more, $grants) = @_;
    open my $out, '>', "$dir/$name.lua" or die;
    print $out "return { state = '$dir/$name.state', channels = { $channels },"
        . " scripts = { ['*'] = { grants = { 'preview', 'kill', 'instance:*', 'notify'@{[$grants // '']} } } }, @{[$more // '']} }\n";
    close $out;
    return "$dir/$name.lua";
}

my $insecure = 'insecure = true';
my %channels = (
    slack => "kind = 'slack', url = @{[at('slack')]}",
    slackbot => "kind = 'slack', token = @{[at('slackbot')]}, channel = 'C024BE91L', endpoint = '$url/slack'",
    feishu => "kind = 'feishu', url = @{[at('feishu')]}, secret = @{[at('feishusign')]}",
    feishuapp => "kind = 'lark', app = 'cli_9', secret = @{[at('feishuapp')]}, channel = 'oc_1', endpoint = '$url/feishu'",
    dingtalk => "kind = 'dingtalk', url = @{[at('ding')]}, secret = @{[at('dingsign')]}",
    wecom => "kind = 'wecom', url = @{[at('wecom')]}",
    teams => "kind = 'teams', url = @{[at('teams')]}",
    discord => "kind = 'discord', url = @{[at('discord')]}",
    telegram => "kind = 'telegram', token = @{[at('telegram')]}, channel = '-100', endpoint = '$url'",
    mattermost => "kind = 'mattermost', url = @{[at('mattermost')]}",
    pagerduty => "kind = 'pagerduty', token = @{[at('pagerduty')]}, endpoint = '$url/v2/enqueue'",
    alertmanager => "kind = 'alertmanager', endpoint = '$url/am', user = 'das', password = @{[at('am')]}",
    webhook => "kind = 'webhook', url = @{[at('hook')]}, secret = @{[at('hookkey')]}",
);
my $all = config('all', join ', ', map { "$_ = { $channels{$_}, $insecure }" } sort keys %channels);

sub with { return { env => { DAS_CONFIG => $_[0] } } }

sub script {
    my ($config, $lua) = @_;
    open my $out, '>', "$dir/script.lua" or die;
    print $out $lua;
    close $out;
    return das(with($config), 'run', '-i', 'mem:tests/samples/recording.jsonl', "$dir/script.lua");
}

sub queue { my $r = das(with($_[0]), 'notify', '--queue', '-o', 'json'); return @{ decode_json($r->{out}) } }

# --- every platform takes it ----------------------------------------------------------------------

my $names = join ', ', map { "'$_'" } sort keys %channels;
my $r = script($all, <<"LUA");
local found = das.preview{ all = true }
for _, channel in ipairs{ $names } do
  assert(das.notify(channel, { title = "orders is slow", text = "<!channel> \@all [x](http://evil)",
    severity = "error", sessions = found, fields = { lag = "12 s", { "primary", "db1" } },
    link = "https://das.example/runs/7?a=1&b=2", dedup = "orders-" .. channel }))
end
LUA
is($r->{exit}, 0, 'a run that sends to all') or diag $r->{err};
unlike($r->{err}, qr/not sent|given up|still to be sent/, 'all get through');
my @queue = queue($all);
is(scalar(grep { $_->{state} eq 'sent' } @queue), scalar keys %channels, 'all are sent') or diag explain \@queue;
is(scalar($web->requests), 1 + keys %channels, 'one request each, and one for a token');
my ($slack) = grep { $_->{path} =~ /services/ } $web->requests;
my @blocks = @{ decode_json($slack->{body})->{blocks} };
like($blocks[0]{text}{text}, qr/\[error\] mem:\S+: orders is slow/, 'where it is, is said');
my ($table) = grep { ($_->{text}{text} // '') =~ /^```/ } @blocks;
like($table->{text}{text}, qr/system user .*\n.*event_scheduler/, 'the sessions are shown');
like($slack->{body}, qr/and 36 more sessions/, 'and those that are not, counted');
unlike($_->{body}, qr/2012-01-01|\bselect .*'/i, "$_->{path}: no values of statements") for $web->requests;

# --- editing --------------------------------------------------------------------------------------

my ($first) = grep { $_->{channel} eq 'slackbot' } @queue;
$web->forget;
$r = script($all, "print(das.notify('slackbot', { text = 'approved by eve', update = '$first->{id}' }))");
like($r->{out}, qr/^true\tmsg_[0-9a-f]{24}$/m, 'a message that edits another one');
is(($web->requests)[0]{path}, '/slack/chat.update', 'does so, in another run');

# --- what goes wrong ------------------------------------------------------------------------------

my $bad = config('bad', join ', ',
    "feishu = { kind = 'feishu', url = @{[at('feishu')]}, secret = @{[at('wrong')]}, $insecure }",
    "dingtalk = { kind = 'dingtalk', url = @{[at('ding')]}, secret = @{[at('wrong')]}, $insecure }",
    "webhook = { kind = 'webhook', url = @{[at('hook')]}, secret = { env = 'HOOK_KEY' }, $insecure }",
    "gone = { kind = 'slack', url = @{[at('gone')]}, $insecure }",
    "missing = { kind = 'slack', url = { file = '$dir/nowhere' }, $insecure }",
    "plain = { kind = 'slack', url = @{[at('slack')]} }",
    "down = { kind = 'slack', url = { env = 'DOWN' }, $insecure }");
for my $case (
    [ 'feishu', qr/given up: 19021 \(sign match fail/ ],
    [ 'dingtalk', qr/given up: 310000 \(sign not match\)/ ],
    [ 'webhook', qr/given up: HTTP 401/ ],
    [ 'gone', qr/given up: HTTP 404/ ],
    [ 'missing', qr/not sent: config \(.*nowhere/ ],
    [ 'plain', qr/not sent: config \(url: expected https/ ],
    [ 'down', qr/not sent: connect \(http:..127.0.0.1:1: no connection/ ],
) {
    my ($channel, $words) = @$case;
    my $run = with($bad);
    $run->{env}{HOOK_KEY} = 'whsec_' . encode_base64('x' x 24, '');
    $run->{env}{DOWN} = 'http://127.0.0.1:1/services/down-url-secret';
    $r = das($run, 'notify', $channel, 'hello');
    is($r->{exit}, 1, "$channel: not sent");
    like($r->{err}, $words, 'and why');
    unlike($r->{err}, qr/url-secret|wrong-secret|ding-token/, 'without a secret');
}
$r = das(with($bad), 'notify', '--queue');
unlike($r->{out} . $r->{err}, qr/url-secret|wrong-secret|ding-token/, 'nor in the queue');
unlike(`strings -a $dir/bad.state/das.db*`, qr/url-secret|wrong-secret|ding-token/, 'nor in the database');

like(das(with($bad), 'status')->{out}, qr/^messages    3 waiting, 4 given up/m, 'das status counts them');

# --- what the run has read as a secret is in no message -------------------------------------------

my $told = config('told', "ops = { $channels{slack}, $insecure }", "secrets = { key = @{[at('slackbot')]} }", ", 'secret:key', 'http:127.0.0.1'");
$web->forget;
$r = script($told, <<"LUA");
local r = das.http.get("$url/echo", { headers = { ["X-Key"] = das.secret("key") } })
assert(das.notify("ops", { title = r.headers["x-said"], text = "it said " .. r.headers["x-said"], fields = { said = r.headers["x-said"] } }))
LUA
is($r->{exit}, 0, 'a run that has got its secret back from somebody') or diag $r->{err};
my ($said) = map { $_->{body} } grep { $_->{path} =~ /services/ } $web->requests;
like($said, qr/it said \*\*\*/, 'tells it to nobody');
unlike($said, qr/xoxb-slack-token/, 'neither in its title nor in a field');

# --- it waits, over runs --------------------------------------------------------------------------

my $ops = config('ops', "ops = { $channels{slack}, $insecure }");
open my $b, '>', $busy or die;
close $b;
$web->forget;
$r = script($ops, "print(das.notify('ops', 'first')) print(das.notify('ops', 'second'))");
is($r->{exit}, 0, 'a run whose messages do not get through') or diag $r->{err};
like($r->{err}, qr/message to ops not sent: (?:HTTP 429|rate_limited).*; tried again/, 'says so');
like($r->{err}, qr/2 messages are still to be sent/, 'and that they wait');
is(scalar($web->requests), 1, 'the channel is left alone');
unlink $busy;
ok(wait_for(sub { $r = das(with($ops), 'notify', '--send'); !grep { $_->{state} ne 'sent' } queue($ops) }, 30),
    'das notify --send sends them later');
is(join(' ', map { decode_json($_->{body})->{text} } ($web->requests)[1, 2]), 'first second', 'in their order');

$r = das(with($ops), 'notify', '--dedup', 'k', 'ops', 'once');
like($r->{err}, qr/(sent to ops|queued) as msg_/, 'a key');
$r = das(with($ops), 'notify', '--dedup', 'k', 'ops', 'once');
like($r->{err}, qr/the same was said before/, 'is said once');
is($r->{exit}, 0, 'which is no error');

# --- killed while it sends ------------------------------------------------------------------------

my $slow = config('slow', "ops = { kind = 'slack', url = @{[at('slow')]}, $insecure }");
my $killed = das_start(with($slow), 'notify', 'ops', 'nobody knows');
ok(wait_for(sub { grep { $_->{path} =~ /slow/ } $web->requests }), 'a message is on its way');
kill 'KILL', $killed->{pid};
das_finish($killed);
my ($left) = queue($slow);
is($left->{state}, 'sending', 'whoever sends it was killed: it is still there');
is($left->{tries}, 1, 'tried once');
$r = das(with($slow), 'notify', '--send');
is($r->{exit}, 0, 'for a while nobody else sends it');
is(scalar(grep { $_->{path} =~ /slow/ } $web->requests), 1, 'since it may have arrived');

# --- what scripts may, and what they get wrong ----------------------------------------------------

my $tight = config('tight', "ops = { $channels{slack}, $insecure }, other = { $channels{teams}, $insecure }");
open my $t, '<', $tight or die;
my $text = do { local $/; <$t> };
$text =~ s/'notify' /'notify:ops' / or die;
open $t, '>', $tight or die;
print $t $text;
close $t;
$web->forget;
like(script($tight, "das.notify('other', 'x')")->{err}, qr/script.lua:1: not granted: notify:other/, 'a channel that is not granted');
is(script($tight, "assert(das.notify('ops', 'x'))")->{exit}, 0, 'one that is');
is(scalar($web->requests), 1, 'only that was sent');
for my $case (
    [ "das.notify('opss', 'x')", qr/not granted: notify:opss/ ],
    [ "das.notify('ops', {})", qr/script.lua:1: notify: expected a text, or a table with title or text/ ],
    [ "das.notify('ops', { tex = 'x' })", qr/did you mean "text"/ ],
    [ "das.notify('ops', { text = 'x', severity = 'bad' })", qr/severity: expected info, warning, error or critical, got bad/ ],
    [ "das.notify('ops', { text = 'x', link = 'javascript:1' })", qr/link: expected an http or https URL/ ],
    [ "das.notify('ops', { text = 'x', sessions = 7 })", qr/sessions: expected a preview/ ],
    [ "das.notify('ops', { text = 'x', fields = { a = {} } })", qr/fields: expected a string, got table/ ],
    [ "das.notify('ops')", qr/message: expected a string, got nil/ ],
) {
    $r = script($tight, $case->[0]);
    is($r->{exit}, 1, $case->[0]);
    like($r->{err}, $case->[1], 'and why');
}
like(script($all, "das.notify('feishu', { text = 'x', buttons = { { label = 'Yes', value = 'v' } } })")->{err},
    qr/buttons: what is clicked on channel feishu \(feishu, custom bot\) does not come back/, 'a button in vain');
like(script($all, "das.notify('slak', 'x')")->{err}, qr/no channel "slak".*did you mean "slack"/, 'no such channel');
like(das(with($all), 'notify', 'slack')->{err}, qr/expected a channel and a text/, 'das notify without a text');
like(das(with($all), 'notify', '--severity', 'x', 'slack', 'y')->{err}, qr/--severity: expected info/, 'a wrong word');
is(scalar(grep { /^slack / } split /\n/, das(with($all), 'notify', '--list')->{out}), 1, 'das notify --list');
is(scalar(@{ decode_json(das(with($all), 'notify', '--list', '-o', 'json')->{out}) }), scalar keys %channels, 'as JSON');

for my $case (
    [ "ops = { kind = 'slack', url = 'https://hooks.slack.com/x' }", qr/channels.ops.url: a secret does not belong in this file/ ],
    [ "ops = { url = @{[at('slack')]} }", qr/channels.ops.kind: expected one/ ],
    [ "ops = { kind = 'slak', url = @{[at('slack')]} }", qr/channels.ops.kind: .*did you mean "slack"/ ],
    [ "ops = { kind = 'slack', ulr = 1 }", qr/channels.ops: unknown key "ulr"; did you mean "url"/ ],
    [ "ops = { kind = 'slack', url = @{[at('slack')]}, digest = 'often' }", qr/channels.ops.digest: expected a duration/ ],
    [ "ops = { kind = 'slack', url = @{[at('slack')]}, rate = 0 }", qr/channels.ops.rate: / ],
    [ "ops = { kind = 'pagerduty', token = @{[at('slack')]}, digest = '5m' }", qr/channels.ops.digest: "pagerduty" puts/ ],
    [ "ops = { kind = 'alertmanager', endpoint = 'http://x' }", qr/channels.ops.endpoint: expected https.*insecure = true/ ],
    [ "['a b'] = { kind = 'slack', url = @{[at('slack')]} }", qr/channels: a name has letters/ ],
) {
    $r = das(with(config('wrong', $case->[0])), 'notify', '--list');
    is($r->{exit}, 2, $case->[0] =~ s/\Q$dir\E//gr);
    like($r->{err}, $case->[1], 'and why');
}

# --- mail -----------------------------------------------------------------------------------------

SKIP: {
    skip 'no IO::Socket::SSL', 1 unless eval { require IO::Socket::SSL };
    my $openssl = sub { system("cd $dir && openssl @_ >/dev/null 2>&1") == 0 or die "openssl @_" };
    $openssl->("req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout $_.key -out $_.pem"
        . " -subj /CN=localhost -addext subjectAltName=DNS:localhost -days 2") for 'mx', 'othermx';
    my @tls = (tls => [ "$dir/mx.pem", "$dir/mx.key" ]);
    my %server = (
        starttls => MailServer->new(@tls, mode => 'starttls', login => 'das:mail password'),
        smtps => MailServer->new(@tls, mode => 'smtps', login => 'das:mail password'),
        bare => MailServer->new(login => 'das:mail password'),
        later => MailServer->new(refuse => { RCPT => '450 greylisted' }),
        no => MailServer->new(refuse => { RCPT => '550 no such user' }),
    );
    my $mail = sub {
        my ($name, $more, $scheme) = @_;
        $scheme //= 'smtp';
        return "$name = { kind = 'smtp', endpoint = '$scheme://localhost:$server{$name}{port}', from = 'das\@example.com',"
            . " to = { 'dba\@example.com', 'oncall\@example.com' }, $more }";
    };
    my $login = "user = 'das', password = @{[at('mail')]}";
    my $config = config('mail', join ', ', $mail->('starttls', "$login, ca = '$dir/mx.pem'"),
        $mail->('smtps', "$login, ca = '$dir/mx.pem'", 'smtps'), $mail->('bare', "$login, $insecure"),
        $mail->('later', $insecure), $mail->('no', $insecure));
    for my $way ('starttls', 'smtps') {
        $r = das(with($config), 'notify', '--title', "caf\xc3\xa9 \xe4\xb8\xad\xe6\x96\x87 " x 12 . "\nBcc: eve\@example.com",
            '--severity', 'critical', $way, "it is on fire\n.\nQUIT\n..");
        is($r->{exit}, 0, "$way: sent") or diag $r->{err};
        my ($m) = $server{$way}->mails;
        ok($m->{secure}, 'over TLS');
        is($m->{login}, 'das:mail password', 'logged in');
        is_deeply($m->{to}, [ 'dba@example.com', 'oncall@example.com' ], 'to both');
        my ($head, $body) = split /\n\n/, $m->{data}, 2;
        unlike($head, qr/^Bcc/m, 'no header comes out of a title');
        is(scalar(grep { length > 76 } split /\n/, $head), 0, 'no line is too long');
        my $subject = join '', map { decode_base64($_) } $head =~ /=\?UTF-8\?B\?(.*?)\?=/g;
        like($subject, qr/^\[critical\] caf\xc3\xa9 \xe4\xb8\xad/, 'the subject');
        like($head, qr/^Message-ID: <msg_[0-9a-f]{24}\@example.com>$/m, 'a name of its own');
        like(decode_base64($body), qr/it is on fire\r\n\.\r\nQUIT\r\n\.\.\r\n/, 'and the text');
    }
    $r = das(with($config), 'notify', 'bare', 'x');
    is($r->{exit}, 1, 'a login goes to nobody without TLS');
    like($r->{err}, qr/the server offers no TLS/, 'which is said');
    is(scalar($server{bare}->mails), 0, 'and no mail');
    $r = das(with($config), 'notify', 'later', 'x');
    like($r->{err}, qr/not sent: SMTP 450 .*tried again/, 'told to come later');
    $r = das(with($config), 'notify', 'no', 'x');
    like($r->{err}, qr/given up: SMTP 550/, 'told no');
    $config = config('mail2', $mail->('smtps', "$login, ca = '$dir/othermx.pem'", 'smtps'));
    $r = das(with($config), 'notify', 'smtps', 'x');
    like($r->{err}, qr/certificate is not trusted/, 'a server that nobody trusts');
    unlike($r->{err}, qr/mail password/, 'without the password');
    is(scalar($server{smtps}->mails), 1, 'gets nothing');
}

done_testing();
