#!/usr/bin/perl
# serve_access.t - who may ask das serve for what, over HTTP: keys and tokens, rights, replays, lockout, rate; refused in the
# gateway's words, also after a restart.
use strict;
use warnings;
use Test::More;
use lib 'tests/e2e/lib';
use POSIX qw(strftime);
use Das qw(das wait_for);
use Serve;

my $PROJECT = $Serve::PROJECT;
my %instances = (orders => '{ source = "mem:tests/samples/recording.jsonl", tags = { "prod" } }', test => 'mem:tests/samples/recording.jsonl');
my $s = Serve->new(instances => \%instances);
$s->id('orders');
my $reader = $s->make_key('--name', 'reader', '--instances', 'test');
my $prod = $s->make_key('--name', 'prod', '--actions', 'listProcess,deleteProcess', '--instances', 'tag:prod');
my $token = $s->make_token('--name', 'me', '--instances', 'test');
my $short = $s->make_token('--name', 'short', '--instances', '*', '--expires', '1s');
my $preview = sub { $s->ask(POST => $s->flow($_[0], 'preview-session-for-kill-process-task'), { time => 0 }, @_[ 1 .. $#_ ]) };
$s->signal('HUP');    # who asked with them too early would be counted as a stranger
ok(wait_for(sub { $s->log =~ /"reloaded"/ }, 10), 'keys that are made while it runs are read');

sub says { my ($r, $status, $code, $words, $what) = @_;
    is("$r->{status} $r->{json}{error_code}", "$status $code", $what) or diag($r->{content});
    like($r->{json}{error_msg}, $words, '... and says so');
    like($r->{json}{request_id}, qr/^[0-9a-f]{32}$/, '... with its request id');
}

# --- rights --------------------------------------------------------------------------------------------
is($preview->('test', key => $reader)->{status}, 200, 'a reader reads');
says($preview->('orders', key => $reader), 403, 'APIGW.0302', qr/das:clouddba:listProcess/, 'of its instance only');
is($preview->('orders', key => $prod)->{status}, 200, 'a key for a tag');
says($preview->('test', key => $prod), 403, 'APIGW.0302', qr/listProcess/, 'is for no other');
for ([ PUT => 'auto-flow/add-kill-process-task', 'createKillTask' ], [ POST => 'auto-flow/terminate-kill-process-task', 'stopKillTask' ],
    [ POST => 'auto-flow/kill-all-session', 'deleteProcess' ], [ POST => 'auto-flow/set-kill-process-task-switch', 'changeKillTaskSwitch' ],
    [ POST => 'kill-process', 'deleteProcess' ], [ DELETE => 'process', 'deleteProcess' ]) {
    says($s->ask($_->[0] => $s->path('test', $_->[1]), {}, key => $reader), 403, 'APIGW.0302', qr/das:clouddba:$_->[2]/, "a reader and $_->[1]");
    says($s->ask($_->[0] => $s->path('test', $_->[1]), {}, token => $token), 403, 'APIGW.0302', qr/das:clouddba:$_->[2]/, "its token and $_->[1]");
}
for ([ 'auto-flow/query-kill-process-task', 'listKillTaskRecord' ], [ 'auto-flow/get-kill-process-task-switch', 'showKillTaskSwitch' ], [ 'processes', 'showCloudDBAInfo' ],
    [ 'db-users', 'listDbUser' ]) {
    says($s->ask(GET => $s->path('orders', $_->[0]), undef, key => $prod), 403, 'APIGW.0302', qr/$_->[1]/, "who may not $_->[1]");
}
my $list = $s->ask(GET => "/v3/$PROJECT/instances", undef, key => $reader, query => [ [ datastore_type => 'MySQL' ] ]);
is_deeply([ map { $_->{instance_name} } @{ $list->{json}{instance_list} } ], ['test'], 'a list shows what the key may see');
says($s->ask(GET => "/v3/$PROJECT/instance/nodes-info", undef, key => $reader, query => [ [ instance_id => $s->id('orders') ], [ datastore_type => 'MySQL' ] ]),
    403, 'APIGW.0302', qr/on this instance/, 'nodes of another one are not told');

# --- who it is ----------------------------------------------------------------------------------------------
says($preview->('test', key => undef), 401, 'APIGW.0301', qr/x-auth-token not found/, 'nobody');
says($preview->('test', key => { access => 'DASNOTTHERE', secret => 'x' }), 401, 'APIGW.0301', qr/Get secretKey failed/, 'a key that is none');
says($preview->('test', token => 'das_x'), 401, 'APIGW.0301', qr/decrypt token fail/, 'a token that is none');
says($preview->('test', date => strftime('%Y%m%dT%H%M%SZ', gmtime(time - 1000))), 401, 'APIGW.0301', qr/15 minutes/, 'an old date');
says($preview->('test', date => strftime('%Y%m%dT%H%M%SZ', gmtime(time + 1000))), 401, 'APIGW.0301', qr/15 minutes/, 'a date to come');
ok(wait_for(sub { ($preview->('test', token => $short)->{json}{error_msg} // '') =~ /token expires, expires_at: \d{4}-/ }, 10), 'a token expires');

# --- once and no more ------------------------------------------------------------------------------------------
my $date = strftime('%Y%m%dT%H%M%SZ', gmtime);
my $on = sub { $s->ask(POST => $s->flow('test', 'set-kill-process-task-switch'), { status => 'on' }, date => $date) };
is($on->()->{status}, 200, 'a write');
says($on->(), 401, 'APIGW.0301', qr/used before/, 'the same signature again');
is($preview->('test', date => $date)->{status}, 200, 'reads may repeat') for 1, 2;
$s->crash;
$s->start;
says($on->(), 401, 'APIGW.0301', qr/used before/, 'also after a crash');
my ($target, $headers) = $s->signed(POST => $s->flow('test', 'kill-all-session'), '');
my $tampered = $s->ask(POST => $s->flow('orders', 'kill-all-session'), undef, key => undef, headers => [ grep { $_->[0] ne 'Host' } @$headers ]);
says($tampered, 401, 'APIGW.0301', qr/verify aksk signature fail/, 'a signature for another instance');

for ([ PUT => 'auto-flow/add-kill-process-task', '{}' ], [ POST => 'auto-flow/terminate-kill-process-task', '{}' ], [ POST => 'auto-flow/kill-all-session', '' ],
    [ POST => 'kill-process', '{}' ], [ DELETE => 'process', '{}' ]) {
    my ($first, $second) = map { $s->ask($_->[0] => $s->path('test', $_->[1]), $_->[2], date => $date) } ($_) x 2;
    isnt($first->{status}, 401, "$_->[1] once");
    says($second, 401, 'APIGW.0301', qr/used before/, '... and no more');
}

# --- five failures ----------------------------------------------------------------------------------------------
my $wrong = { access => $reader->{access}, secret => 'wrong' };
says($preview->('test', key => $wrong), 401, 'APIGW.0301', qr/verify aksk signature fail/, "a wrong secret, $_") for 1 .. 5;
says($preview->('test', key => $reader), 401, 'APIGW.0301', qr/AK access failed to reach the limit, forbidden/, 'then the right one does not help either');
is($preview->('test')->{status}, 200, 'another key is let in');
my $metrics = $s->ask(GET => '/metrics', undef, key => undef)->{content};
like($metrics, qr/^das_auth_total\{result="$_"\} [1-9]/m, "counted: $_") for qw(ok signature replay locked);

# --- revoked, too fast ---------------------------------------------------------------------------------------------
is(das($s->opt, 'key', 'revoke', $prod->{access})->{exit}, 0, 'a key is revoked');
ok(wait_for(sub { $preview->('orders', key => $prod)->{status} == 401 }, 10), 'and refused');
unlike($s->log, qr/\Q$_\E/, 'no secret is in the log') for $reader->{secret}, $prod->{secret}, $token, $s->{key}{secret};
is($s->stop->{exit}, 0, 'ends in order');
$s->write_config(serve => 'mode = "auto", rate = 3');
open my $config, '+<', $s->{config} or die;
my $text = do { local $/; <$config> };
$text =~ s/rate = 0, //;    # the one that tests have by themselves
seek $config, 0, 0; truncate $config, 0; print $config $text; close $config;
$s->start;
my @fast = map { $preview->('test') } 1 .. 8;
my ($throttled) = grep { $_->{status} == 429 } @fast;
ok($throttled, 'too many in a second') or BAIL_OUT('no 429');
says($throttled, 429, 'APIGW.0308', qr/throttling threshold.*limit:3/, 'are told');
is($throttled->{headers}{'retry-after'}, 1, 'when to come again');
is($fast[0]{status}, 200, 'the first are answered');
$s->stop;
done_testing();
