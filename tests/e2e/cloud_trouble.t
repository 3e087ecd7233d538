#!/usr/bin/perl
# cloud_trouble.t - the DAS API on a bad day: every error that its documents name, silence, half answers,
# lies, floods; what is tried again, what is not, and that a write is never sent twice.
use strict;
use warnings;
use Test::More;
use File::Temp qw(tempdir);
use JSON::PP;
use lib 'tests/e2e/lib';
use CloudRun;
use CloudServer;

my $c = CloudServer->new;
my $run = CloudRun->new($c, retries => 2, total => 500);
my ($r, $before);

# One order of each kind, with the same step for every attempt.
sub both {
    my ($step) = @_;
    $c->script($_, [ { times => 9, %$step } ]) for qw(preview task_stop);
    my $read = $run->order('preview time=1');
    my $write = $run->order('stop 7');
    $c->unscript;
    return ($read, $write);
}

# --- every error of the documents ----------------------------------------------------------------------------

# code, status, das's code, whether a read is tried again, advice
my @errors = (
    [ 'DAS.200002', 400, 'busy', 1, qr/lower `rate`/ ],
    [ 'DAS.200051', 400, 'auth', 0, qr/check the access key/ ],
    (map { [ "DAS.$_", 400, 'usage', 0, qr/./ ] } 200100 .. 200111),
    [ 'DAS.200112', 400, 'usage', 0, qr/register the database user/ ],
    [ 'DAS.200113', 400, 'usage', 0, qr/project id/ ],
    [ 'DAS.200114', 400, 'usage', 0, qr/no such instance/ ],
    [ 'DAS.220002', 400, 'connect', 0, qr/cannot connect to the database/ ],
    [ 'DAS.220003', 400, 'usage', 0, qr/db_user_id is gone/ ],
    [ 'DAS.220004', 400, 'usage', 0, qr/./ ],
    [ 'APIGW.0101', 404, 'usage', 0, qr/check region and endpoint/ ],
    [ 'APIGW.0103', 404, 'usage', 0, qr/./ ],
    [ 'APIGW.0104', 400, 'usage', 0, qr/./ ],
    [ 'APIGW.0105', 500, 'connect', 1, qr/./ ],
    [ 'APIGW.0106', 400, 'usage', 0, qr/./ ],
    [ 'APIGW.0201', 413, 'usage', 0, qr/too long for the API/ ],
    [ 'APIGW.0201', 414, 'usage', 0, qr/too long for the API/ ],
    [ 'APIGW.0201', 494, 'usage', 0, qr/./ ],
    [ 'APIGW.0201', 502, 'connect', 1, qr/./ ],
    [ 'APIGW.0201', 504, 'connect', 1, qr/./ ],
    [ 'APIGW.0204', 400, 'usage', 0, qr/./ ],
    [ 'APIGW.0301', 401, 'auth', 0, qr/check the access key and secret key/ ],
    [ 'APIGW.0302', 403, 'denied', 0, qr/add das:clouddba:\w+ to the policy/ ],
    [ 'APIGW.0303', 401, 'auth', 0, qr/app's key/ ],
    [ 'APIGW.0304', 403, 'denied', 0, qr/add das:/ ],
    [ 'APIGW.0305', 401, 'auth', 0, qr/app's key/ ],
    [ 'APIGW.0306', 403, 'denied', 0, qr/add das:/ ],
    [ 'APIGW.0307', 401, 'auth', 0, qr/made anew/ ],
    [ 'APIGW.0308', 429, 'busy', 1, qr/lower `rate`/ ],
    [ 'APIGW.0310', 403, 'denied', 0, qr/add das:/ ],
    [ 'APIGW.0401', 403, 'denied', 0, qr/certain addresses/ ],
    [ 'APIGW.0402', 403, 'denied', 0, qr/certain addresses/ ],
    [ 'APIGW.0404', 403, 'denied', 0, qr/certain addresses/ ],
    [ 'APIGW.0501', 405, 'usage', 0, qr/quota/ ],
    [ 'APIGW.0502', 405, 'usage', 0, qr/quota/ ],
    [ 'APIGW.0601', 500, 'connect', 1, qr/./ ],
    [ 'APIGW.0602', 400, 'usage', 0, qr/./ ],
    [ 'APIGW.0613', 503, 'connect', 1, qr/IAM is not available/ ],
    [ 'APIGW.0802', 403, 'denied', 0, qr/add das:/ ],
    [ 'APIG.0308', 429, 'busy', 1, qr/lower `rate`/ ],
);
for my $e (@errors) {
    my ($code, $status, $ours, $again, $advice) = @$e;
    my ($read, $write) = both({ status => $status, headers => { 'X-Request-Id' => 'req-4711' },
            body => { error_code => $code, error_msg => 'words of the API', request_id => 'req-4711' } });
    subtest "$status $code" => sub {
        is "$read->{code} $read->{status} $read->{error} $read->{request}", "$ours $status $code req-4711", 'code, status, error code, request id';
        like $read->{text}, qr/^preview: HTTP $status \Q$code\E "words of the API" \(request req-4711\)/, 'all of it in the message';
        like $read->{text}, $advice, 'and what to do';
        is $read->{attempts}, $again ? 3 : 1, $again ? 'a read is tried again' : 'trying again would not help';
        is $write->{attempts}, 1, 'a write is sent once';
        is $write->{unknown}, $status >= 500 ? 1 : 0, $status >= 500 ? 'and may have had its effect' : 'and was refused';
    };
}
ok $run->order('preview time=1')->{ok}, 'afterwards all is well';

# --- errors in other shapes ---------------------------------------------------------------------------------

for my $shape (
    [ 'the older endpoints', { errorCodeStr => 'DAS.5010', errorMessage => 'older words' }, 'DAS.5010', 'older words' ],
    [ 'code and message', { code => 'X.1', message => 'words' }, 'X.1', 'words' ],
    [ 'nested, as IAM has it', { error => { code => 'IAM.7', message => 'inner words', title => 't' } }, 'IAM.7', 'inner words' ],
    [ 'no code', { text => 'x' }, '-', undef ],
) {
    my ($name, $body, $code, $words) = @$shape;
    $c->script('preview', [ { status => 400, body => $body } ]);
    $r = $run->order('preview time=1');
    is $r->{error}, $code, "$name: the code";
    like $r->{text}, defined $words ? qr/\Q$words\E/ : qr/HTTP 400/, "$name: the words";
}
$c->script('preview', [ { status => 502, body => '<html>Bad Gateway</html>', times => 3 } ]);
$r = $run->order('preview time=1');
ok $r->{status} == 502 && $r->{attempts} == 3 && $r->{code} eq 'connect', 'an error page of a proxy' or diag explain $r;
$c->script('preview', [ { status => 302, headers => { Location => 'http://127.0.0.1:1/' }, body => '' } ]);
$r = $run->order('preview time=1');
ok $r->{status} == 302 && $r->{code} eq 'data', 'a redirect is not followed: the signature is for one place' or diag explain $r;
$c->script('preview', [ { status => 400, body => { error_code => "A\e[31mB", error_msg => "line\nline\e[2J" . ('x' x 3000) } } ]);
$r = $run->order('preview time=1');
ok $r->{text} !~ /\e|\n/ && length $r->{text} < 1000, 'control characters and floods of words do not get through';

# --- silence, half answers, lies -------------------------------------------------------------------------------

my $whole = '{"data_sync_time":1,"total_count":0,"processes":[]}';
for my $t (
    # name, step, das's code, read attempts, is the write in doubt?
    [ 'no answer in time', { delay => 1.5 }, 'timeout', 3, 1 ],
    [ 'closed without an answer', { close => 1 }, 'connect', 3, 1 ],
    [ 'reset', { reset => 1 }, 'connect', 3, 1 ],
    [ 'cut off', { body => $whole, cut => 10 }, 'connect', 3, 1 ],
    [ 'a length that is too long', { body => $whole, content_length => 500, last => 1 }, 'connect', 3, 1 ],
    [ 'a length that is too short', { body => $whole, content_length => 12, last => 1 }, 'data', 1, 1 ],
    [ 'a chunk that is cut off', { body => $whole, chunked => 8, cut => 12 }, 'connect', 3, 1 ],
    [ 'no JSON', { body => 'hello', headers => { 'Content-Type' => 'text/plain' } }, 'data', 1, 1 ],
    [ 'half JSON', { body => substr($whole, 0, 30) }, 'data', 1, 1 ],
    [ 'a NUL', { body => "{\"total_count\":0,\0\"processes\":[]}" }, 'data', 1, 1 ],
    [ 'brackets without end', { body => '[' x 100_000 }, 'data', 1, 1 ],
) {
    my ($name, $step, $code, $attempts, $doubt) = @$t;
    my ($read, $write) = both($step);
    is $read->{code}, $code, "$name: $code" or diag explain $read;
    is $read->{attempts}, $attempts, $attempts > 1 ? "$name: tried again" : "$name: not tried again";
    ok !$write->{ok} && $write->{attempts} == 1 && $write->{unknown} == $doubt, "$name: a write is sent once, and in doubt" or diag explain $write;
}

# Wrong types in a good answer: an error that names the field, never a guess.
for my $t (
    [ '[]', qr/is no object, expected an object with "processes"/ ],
    [ '', qr/the answer is empty/ ],
    [ '{}', qr/no "processes"/ ],
    [ '{"processes":{},"total_count":0}', qr/expected a list, got an object/ ],
    [ '{"processes":[]}', qr/total_count: expected a whole number, got nothing/ ],
    [ '{"processes":[],"total_count":"x"}', qr/total_count: expected a whole number, got a text/ ],
    [ '{"processes":[],"total_count":-1}', qr/total_count: expected at least/ ],
    [ '{"processes":[{"id":1},{"id":2}],"total_count":1}', qr/total_count: expected at least the 2 processes/ ],
    [ '{"processes":[{"user":"x"}],"total_count":1}', qr/process 1: id: expected a whole number, got nothing/ ],
    [ '{"processes":[{"id":1,"user":7}],"total_count":1}', qr/process 1: user: expected a text, got a number/ ],
    [ '{"processes":[{"id":1,"state_duration":"long"}],"total_count":1}', qr/process 1: state_duration: expected a whole number/ ],
    [ '{"processes":[{"id":1e40}],"total_count":1}', qr/process 1: id: expected a whole number, got a fraction/ ],
    [ '{"processes":[],"total_count":0,"data_sync_time":[]}', qr/data_sync_time: expected a whole number/ ],
) {
    $c->script('preview', [ { body => $t->[0] } ]);
    $r = $run->order('preview time=1');
    is $r->{code}, 'data', "answer $t->[0]";
    like $r->{text}, $t->[1], 'is refused, and says why';
}
$c->script('preview', [ { body => '{"processes":[{"id":9007199254740993,"user":null,"db":"","new_field":{"a":[1]},"state_duration":"7"}],"total_count":1,"data_sync_time":1766655104000,"more":true}' } ]);
like $run->order('preview time=1')->{text}, qr/^sync 1766655104 total 1 \[1 \{ id 9007199254740993 user NULL host NULL db "" .*state_duration 7 /,
    'unknown fields, NULL, numbers as text, milliseconds: tolerated; ids exact';

# --- too much ---------------------------------------------------------------------------------------------------

$c->set(rows => 200_000);
$r = CloudRun->new($c, total => 60_000)->order('preview time=1');
like $r->{text}, qr/^sync \d+ total 200000 \[200000 /, '200,000 rows in one answer are read' or diag substr $r->{text}, 0, 300;
$r = CloudRun->new($c, max => 100_000)->order('preview time=1');
ok $r->{code} eq 'data' && $r->{attempts} == 1, 'an answer over the bound ends at once' or diag explain $r;
like $r->{text}, qr/longer than 100000 bytes/, 'and says so';
$c->set(rows => 0);

# --- trouble that passes --------------------------------------------------------------------------------------------

$before = $c->count('preview');
$c->script('preview', [ { status => 503, body => '' }, { close => 1 }, { status => 429, body => { error_code => 'APIGW.0308', error_msg => 'x' } } ]);
$r = CloudRun->new($c, retries => 5)->order('preview time=1');
ok $r->{ok} && $c->count('preview') - $before == 4, 'three bad answers, then a good one' or diag explain $r;
$c->script('preview', [ { status => 429, headers => { 'Retry-After' => 3600 }, body => '' } ]);
$r = CloudRun->new($c, retries => 5)->order('preview time=1');
ok $r->{code} eq 'busy' && $r->{attempts} == 1, 'asked to wait for an hour: not waited for' or diag explain $r;
$c->script('preview', [ { status => 503, body => '', times => 50 } ]);
$r = CloudRun->new($c, retries => 50, wait => 100, max_wait => 100, deadline => 700)->order('preview time=1');
ok !$r->{ok} && $r->{attempts} < 50 && $r->{status} == 503, 'the deadline ends it, with the last error' or diag explain $r;
$c->unscript;
$c->script('preview', [ { status => 503, body => '', times => 50 } ]);
$r = CloudRun->new($c, retries => 50, wait => 100, max_wait => 100, patience => 500)->order('preview time=1');
ok !$r->{ok} && $r->{attempts} < 50, 'and so does the patience of the caller' or diag explain $r;
$c->unscript;
$r = CloudRun->new($c, endpoint => 'http://127.0.0.1:1', retries => 2)->order('preview time=1');
ok $r->{code} eq 'connect' && $r->{attempts} == 3, 'nobody there: a read is tried again' or diag explain $r;
$r = CloudRun->new($c, endpoint => 'http://127.0.0.1:1', retries => 0)->order('stop 1');
ok $r->{code} eq 'connect' && !$r->{unknown}, 'a write that never left is not in doubt' or diag explain $r;

# A kept connection that the server has closed is no reason to doubt a write.
$c->set(per_connection => 1);
my $kept = CloudRun->new($c);
ok $kept->order('preview time=1')->{ok}, 'a connection is closed behind an answer, unannounced';
$r = $kept->order('kill 1 app');
ok $r->{ok} && $r->{attempts} == 1, 'a write has a connection of its own' or diag explain $r;
ok $kept->order('preview time=1')->{ok}, 'a read finds another';
$c->set(per_connection => 0);

# --- a write is never sent twice, whatever happens ----------------------------------------------------------------

$c->forget;
for my $order ([ task_create => 'create time=5 duration=10 type=auto' ], [ task_stop => 'stop 1' ], [ kill_all => 'kill_all ' . $c->instance ],
    [ kill_process => 'kill 1 app' ], [ delete_process => 'kill_ids u-1 1' ], [ switch_set => 'switch on 0' ]) {
    my ($operation, $line) = @$order;
    for my $step ({ close => 1 }, { reset => 1 }, { status => 500, body => '' }, { status => 504, body => '' }, { delay => 1 }) {
        $before = $c->count($operation);
        $c->script($operation, [ { times => 9, %$step } ]);
        $r = CloudRun->new($c, retries => 5, total => 300)->order($line);
        my $times = $c->count($operation) - $before;
        ok !$r->{ok} && $r->{unknown} && $times == 1, "$operation, " . encode_json($step) . ': sent once, outcome unknown' or diag explain [ $times, $r ];
        $c->unscript;
    }
}

# --- clocks and keys -----------------------------------------------------------------------------------------------

my $late = CloudServer->new(now_offset => 1200);
$r = CloudRun->new($late)->order('preview time=1');
ok $r->{code} eq 'auth' && $r->{status} == 401, '20 minutes apart: refused' or diag explain $r;
like $r->{text}, qr/clock/, 'and the clock is named';
ok(CloudRun->new(CloudServer->new(now_offset => 600))->order('preview time=1')->{ok}, '10 minutes are fine');
my %wrong = (%{ $c->env }, HUAWEICLOUD_SDK_SK => 'another secret');
$r = CloudRun->new($c, env => \%wrong)->order('preview time=1');
ok $r->{code} eq 'auth' && $r->{attempts} == 1, 'a wrong secret: one attempt, since five lock the key' or diag explain $r;
like $r->{text}, qr/secret key does not belong to the access key/, 'and what to do';
unlike $r->{text}, qr/another secret|canonicalRequest/, 'neither the secret nor the canonical request';
my $locks = CloudServer->new(lock_after => 5);
my $wrong = CloudRun->new($locks, env => { %{ $locks->env }, HUAWEICLOUD_SDK_SK => 'another secret' }, concurrency => 16);
$r = $wrong->order('many 32 2');
like $r->{text}, qr/^good 0 /, 'a wrong key in many threads';
is $locks->count('preview'), 3, 'is tried three times, one after the other';
like $wrong->order('preview time=1')->{text}, qr/refused 3 times in a row, and five times lock it/, 'and then no more';
ok(CloudRun->new($locks)->order('preview time=1')->{ok}, 'the right one is not locked');
my $keys = tempdir('das-keys-XXXXXX', TMPDIR => 1, CLEANUP => 1) . '/keys.json';

sub keep_keys {
    my ($secret) = @_;
    open my $out, '>', $keys or die "$keys: $!\n";
    chmod 0600, $keys;
    print $out encode_json({ access => $locks->access, secret => $secret });
    close $out;
}
keep_keys('another secret');
my $renewed = CloudRun->new($locks, file => $keys);
$renewed->order('preview time=1') for 1 .. 3;
like $renewed->order('preview time=1')->{text}, qr/refused 3 times in a row/, 'keys in a file, refused too often';
keep_keys($locks->secret);
$r = $renewed->order('preview time=1');
ok $r->{ok}, 'are good again once somebody has mended the file' or diag explain $r;
my $revoked = CloudServer->new;
my $holder = CloudRun->new($revoked, concurrency => 1);
ok $holder->order('many 4 4')->{text} =~ /^good 16 /, 'a key that is good';
$revoked->key(access => $revoked->access, secret => 'another one');
$before = $revoked->count('preview');
like $holder->order('many 8 8')->{text}, qr/^good 0 /, 'and then is not any more';
is $revoked->count('preview') - $before, 4, 'is tried once, and then like one that never was';

# --- a token that ends in the middle ----------------------------------------------------------------------------------

my $t = CloudServer->new(users => { das => 'PasswordOfTheTest' }, domain => 'corp');
my $user = CloudRun->new($t, password => 'corp/das/TEST_PASSWORD', iam => $t->endpoint, env => { TEST_PASSWORD => 'PasswordOfTheTest' });
ok $user->order('preview time=1')->{ok}, 'user and password';
ok $user->order('preview time=1')->{ok} && $t->count('token') == 1, 'one token for both calls';
for my $how (qw(expires update)) {
    $before = $t->count('token');
    $t->expire_tokens($how);
    ok $user->order('preview time=1')->{ok}, "it ends ($how): the call goes through all the same";
    is $t->count('token') - $before, 1, 'with one new token';
}
$t->expire_tokens('expires');
$r = $user->order('stop 1');
ok $r->{status} != 401, 'a write, too: it was refused before it did anything' or diag explain $r;
$before = $t->count('token');
$t->script('preview', [ { times => 9, status => 401, body => { error_code => 'APIGW.0301', error_msg => 'token expires, expires_at: x' } } ]);
$r = $user->order('preview time=1');
ok $r->{code} eq 'auth' && $t->count('token') - $before <= 1, 'tokens that are never good: asked for once more, not for ever' or diag explain $r;
unlike $user->{all}, qr/PasswordOfTheTest/, 'no password in what was told';

# --- many at once ----------------------------------------------------------------------------------------------------

my $crowd = CloudServer->new(latency => 0.01);
$r = CloudRun->new($crowd, concurrency => 8)->order('many 64 4');
like $r->{text}, qr/^good 256/, '64 threads, 256 previews' or diag explain $r;
cmp_ok $crowd->max_parallel, '<=', 8, 'never more than 8 at once';
my %connections = map { $_->{connection} => 1 } $crowd->requests('preview');
cmp_ok scalar(keys %connections), '<=', 8, 'over 8 connections';
my $fleet = CloudServer->new;
$fleet->sessions([ { id => 1, user => 'app', host => 'h:1', db => 'd', command => 'Query', state => '', sql_info => 'select', state_duration => 99 } ],
    instance => sprintf('%032xin01', $_)) for 0 .. 999;
$r = CloudRun->new($fleet, concurrency => 64, retries => 5)->order('fleet 50 20');
like $r->{text}, qr/^good 1000/, '1,000 instances in parallel' or diag explain $r;
my %seen = map { $_->{target} => 1 } $fleet->requests('preview');
is scalar(keys %seen), 1000, 'each of them was asked';
is scalar(grep { !$_->{verified} } $fleet->requests('preview')), 0, 'every signature was right';
$fleet->script('preview', [ { times => 20, status => 429, body => { error_code => 'APIGW.0308', error_msg => 'policy domain over ratelimit' } } ]);
$r = CloudRun->new($fleet, concurrency => 64, retries => 8, wait => 50, max_wait => 500)->order('fleet 50 20');
like $r->{text}, qr/^good 1000/, 'and with a limit that is hit in between' or diag explain $r;

# --- nothing secret in what was told -------------------------------------------------------------------------------------

unlike $run->{all}, qr/\Q@{[ $c->secret ]}\E/, 'no secret in any message';
my $leaky = CloudServer->new(security_token => 'TheTokenThatTheGatewayRepeats');
$leaky->script('preview', [ { status => 401, body => { error_code => 'APIGW.0301',
            error_msg => 'verify aksk signature fail, canonicalRequest:POST|/x|x-security-token:TheTokenThatTheGatewayRepeats|' } },
    { status => 400, body => { error_code => 'DAS.1', error_msg => 'about TheTokenThatTheGatewayRepeats and ' . $leaky->secret } } ]);
my $repeats = CloudRun->new($leaky);
unlike $repeats->order('preview time=1')->{text}, qr/Repeats|canonical/, 'a gateway that repeats the request';
$r = $repeats->order('preview time=1');
like $r->{text}, qr/about \*\*\* and \*\*\*/, 'or the secrets themselves' or diag explain $r;
for my $before ('', 'key ', 'the key that you sent is ') {
    $leaky->script('preview', [ { status => 200, body => $before . $leaky->secret . ' and TheTokenThatTheGatewayRepeats' } ]);
    $r = $repeats->order('preview time=1');
    like $r->{text}, qr/begins with "\Q$before\E\*\*\*/, 'an answer that is no JSON, with a secret where it is cut' or diag explain $r;
    unlike $r->{text}, qr/\Q@{[ substr $leaky->secret, 0, 8 ]}\E/, 'nor the beginning of one';
}

# --- good answers that are none ----------------------------------------------------------------------------------------------

my $two = { error_code => 'DAS.200100', error_msg => 'words of the API' };
$c->script($_, [ { status => 200, body => $two } ]) for qw(preview task_stop kill_process);
$r = $run->order('preview time=1');
like "$r->{code} $r->{error} $r->{text}", qr/^usage DAS\.200100 .*"words of the API"/, 'an error with the status of a good answer is one' or diag explain $r;
for my $line ('stop 7', 'kill 1 app') {
    $r = $run->order($line);
    ok !$r->{ok} && $r->{unknown} && $r->{text} =~ /words of the API/, "$line: not done, or so it says: in doubt" or diag explain $r;
}
$c->script($_, [ { status => 200, body => { success => JSON::PP::false } } ]) for qw(task_stop kill_process);
for my $line ('stop 7', 'kill 1 app') {
    $r = $run->order($line);
    ok !$r->{ok} && $r->{text} =~ /"success": false/, "$line: without success" or diag explain $r;
}
is_deeply [ map { $_->violations } $c, $t, $crowd, $fleet, $late ], [], 'nothing was sent that a careful client does not send';

done_testing();
