#!/usr/bin/perl
# cloud_wait.t - calls of the DAS API that have to wait: a kill that waits too long is not sent, and nobody
# waits longer than its patience for a connection or a key that somebody else tries.
use strict;
use warnings;
use Test::More;
use lib 'tests/e2e/lib';
use CloudRun;
use CloudServer;
use Das qw(das das_script das_config $AUTO $MANY);

my $c = CloudServer->new;
my $r;

# --- what may not be sent any more -------------------------------------------------------------------------

$r = CloudRun->new($c, sendable => 0)->order('kill 1 app');
ok !$r->{ok} && $r->{late} && !$r->{unknown}, 'a kill that may no longer be sent' or diag explain $r;
like $r->{text}, qr/^kill process: not sent any more: /, 'says so';
is $c->count('kill_process'), 0, 'and is not sent';
my $slow = CloudRun->new($c, rate => 0.001, deadline => 10_000_000, sendable => 5000);
$c->sessions([ { id => 1, user => 'app', host => 'h:1', command => 'Sleep' } ]);
ok $slow->order('kill 1 app')->{ok}, 'one that has its turn is sent';
$r = $slow->order('kill 1 app');
ok !$r->{ok} && $r->{late}, 'one whose turn would come too late is not, though the deadline is far' or diag explain $r;
is $c->count('kill_process'), 1, 'it was not sent';
$r = CloudRun->new($c, endpoint => 'http://127.0.0.1:1', sendable => 1000, retries => 50, wait => 100, max_wait => 100)->order('kill 1 app');
ok $r->{code} eq 'connect' && !$r->{unknown} && $r->{attempts} < 51, 'nor one that finds no connection until then' or diag explain $r;
$c->script('kill_process', [ { delay => 1.5 } ]);
$r = CloudRun->new($c, sendable => 1000)->order('kill 1 app');
ok $r->{ok}, 'once it is sent, it is waited for as long as ever' or diag explain $r;

# --- what somebody else waits for ---------------------------------------------------------------------------

sub behind {
    my ($run) = @_;
    my $before = $c->count('preview');
    $c->hold('preview');
    $run->order('begin');
    $c->wait_for('preview', $before + 1);
    my $second = $run->order('preview time=1');
    $c->release('preview');
    is $run->order('end')->{text}, 'answered', 'the first one has its answer';
    return $second->{text};
}
my %waits = (patience => 300, total => 60_000, retries => 0);
like behind(CloudRun->new($c, %waits)), qr/another thread tries this key/, 'a key that nobody knows to be good is tried by one, and another waits as long as it may';
my $one = CloudRun->new($c, %waits, concurrency => 1);
ok $one->order('preview time=1')->{ok}, 'a key that is known to be good';
like behind($one), qr/all 1 connections of this cloud were busy/, 'the same for the only connection';

# --- what the cloud has asked for ---------------------------------------------------------------------------

my $rash = CloudRun->new($c, rate => 1000, patience => 500, retries => 5, max_wait => 60_000);
$c->script('preview', [ { status => 429, headers => { 'Retry-After' => 30 }, body => { error_code => 'APIGW.0308', error_msg => 'x' } } ]);
$r = $rash->order('preview time=1');
ok $r->{code} eq 'busy' && $r->{attempts} == 1, 'asked to wait longer than there is patience' or diag explain $r;
my $asked = $c->count('preview');
$r = $rash->order('preview time=1');
ok $r->{code} eq 'timeout' && $r->{attempts} == 0 && $c->count('preview') == $asked, 'nobody else of the account is sent meanwhile' or diag explain $r;
like $r->{text}, qr/asked for a pause/, 'and told why';

is_deeply [ $c->violations ], [], 'nothing was sent that a careful client does not send';
done_testing();
