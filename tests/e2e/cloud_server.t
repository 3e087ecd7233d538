#!/usr/bin/perl
# cloud_server.t - the server that stands for Huawei Cloud in other tests: its signatures against the
# vendor's vectors and against openssl, its answers against the documents.
use strict;
use warnings;
use Test::More;
use JSON::PP;
use Time::HiRes qw(sleep time);
use Time::Local qw(timegm);
use Digest::SHA qw(sha256_hex);
use lib 'tests/e2e/lib';
use CloudServer;
use CloudServer::Ask;
use Signature;

sub refused {
    my ($r, $status, $code, $message, $name) = @_;
    is($r->{status}, $status, "$name: $status") or diag($r->{content});
    is($r->{data}{error_code}, $code, "$name: $code");
    like($r->{data}{error_msg}, $message, "$name: says so");
    is($r->{data}{request_id}, $code =~ /^APIGW/ ? $r->{headers}{'x-request-id'} : undef, "$name: the request's id");
}

# --- the vendor's vectors ---------------------------------------------------------------------------

my %go = (access => 'AccessKey', secret => 'SecretKey', date => '20060102T150405Z', region => 'test-region-1', service => 'demo', names => 'x-sdk-date');
my %python = (%go, date => '20200608T023900Z', names => 'host;x-sdk-date', host => 'service.endpoint.myhuaweicloud.com');
my @vectors = (
    [ \%go, 'GET', '/path?limit=1', '', '85c3b7730f308aee452b16138a42a914397e43a8f0d732dfa521c0ef2afa98a4',
        '5a2ce64c865e0e6046321c6f3d5a77ba8413eeaf355c3166c03d58d02ac79624', '8fd3610508884bb19718317797c7378716a94bc740d97502e569322e366341cc' ],
    [ \%go, 'POST', '/path?key=value', qq({"Name":"test","Id":1}\n), '13f75ff5f5216199f986c7e7f2f77834d5e160ad9e46f37319816dc72ba7eeab',
        'cecc2af119b18ab70b4d094c0750f3b42c02f254903179a0fc2cc72fc9db4f59', '4112f88b92d82dd1e1b7dd142f1e99e4f1762c42ca8fe0968b3045120870a903' ],
    [ \%python, 'GET', '/resources?size=1', '', 'de94dd1e1ccdb730b403ce35d7e14f7c7b04337f6def1c3a3a2ba936852b133f',
        'cfb4171acec81de07d50e53d57eb77edd537414d66ddb1d7d780f128e12cd842', 'f7dfee056692e58dede80fc80cb89bbfabf45552dd7cd8d18a0a13484455b98e' ],
    [ \%python, 'POST', '/resources?size=1', '{"name":"test","id":1}', '2b1b2515e48cb55e043ff2ec5b93d3f13ec287e1da1d7a2e4e14b0611a341969',
        '436b1ac0a1ae03705934bb70ef2f2e09f7bfed2117d731a38235053199323a1f', '8e2d91eaf9656ec5d6fab27812e2d898a35aaaa5e16ee0a0365c38527ccfb3cf' ],
);
{
    my $c = CloudServer->new(access => 'AccessKey', secret => 'SecretKey', region => 'test-region-1');
    for my $v (@vectors) {
        my ($by, $method, $target, $body, $hash, @signatures) = @$v;
        my ($path, $query) = Signature::read_target($target);
        my $host = $by->{host} // 'any';
        my %r = (%$by, method => $method, path => $path, query => $query, body => $body, headers => [ [ 'X-Sdk-Date', $by->{date} ], [ 'Host', $host ] ]);
        my ($text) = Signature::canonical(\%r, $by->{names});
        is(sha256_hex($text), $hash, "$method $target: the canonical text");
        my ($y, $m, $d, $H, $M, $S) = $by->{date} =~ /^(....)(..)(..)T(..)(..)(..)/;
        $c->set(now_offset => timegm($S, $M, $H, $d, $m - 1, $y) - time);
        for my $v11 (0, 1) {
            my $value = Signature::sign({ %r, v11 => $v11 }, $by->{names});
            like($value, qr/Signature=$signatures[$v11]\z/, "$method $target: the signature" . ($v11 ? ' of V11' : ''));
            wire($c, "$method $target HTTP/1.1\r\nHost: $host\r\nX-Sdk-Date: $by->{date}\r\nAuthorization: $value\r\nContent-Length: @{[ length $body ]}\r\n\r\n$body");
            my $entry = ($c->requests)[-1];
            is($entry->{verified}, 1, '... which the server finds right') or diag($entry->{why});
            is($entry->{auth}, $v11 ? 'v11' : 'sdk', '... and tells which it was');
        }
    }
    my %value = (limit => 1, enable => 'true', test => "\xe4\xb8\x80 (&=?!#%.*)", path => '/tmp/123');
    my @query = ((map { [ $_ => $value{$_} ] } keys %value), (map { [ multi => $_ ] } 2, 3, 1));
    my ($text) = Signature::canonical({ method => 'GET', path => '/', headers => [], query => \@query });
    is((split /\n/, $text)[2], 'enable=true&limit=1&multi=1&multi=2&multi=3&path=%2Ftmp%2F123&test=%E4%B8%80%20%28%26%3D%3F%21%23%25.%2A%29', 'the query of the vendor');
}

# --- signed by hand, with openssl ---------------------------------------------------------------------

my $c = CloudServer->new(db_users => [ { db_user_id => '11112222-3333-4444-5555-666677778888', db_username => 'admin' } ], users => { ops => 'pass word' });

sub openssl_digest {
    my ($text, @args) = @_;
    open my $to, '>', "/tmp/das-openssl-$$" or die;
    print $to $text;
    close $to;
    my $out = `openssl dgst -sha256 @args /tmp/das-openssl-$$`;
    unlink "/tmp/das-openssl-$$";
    return $out =~ /([0-9a-f]{64})/ ? $1 : die "openssl: $out";
}
{
    my ($date, $host, $secret, $access, $project) = (stamp(), '127.0.0.1:' . $c->port, $c->secret, $c->access, $c->project);
    my $body = '{"time":0}';
    my $path = of($c, 'auto-flow/preview-session-for-kill-process-task');
    my $names = 'content-type;host;x-project-id;x-sdk-date';
    my $text = "POST\n$path/\n\ncontent-type:application/json\nhost:$host\nx-project-id:$project\nx-sdk-date:$date\n\n$names\n" . openssl_digest($body);
    my $hash = openssl_digest($text);
    my $send = sub {
        my ($authorization) = @_;
        return wire($c, "POST $path HTTP/1.1\r\nHost: $host\r\ncontent-type:  application/json \r\nX-Project-Id: $project\r\nX-Sdk-Date: $date\r\n"
            . "Authorization: $authorization\r\nContent-Length: @{[ length $body ]}\r\n\r\n$body");
    };
    my $mac = openssl_digest("SDK-HMAC-SHA256\n$date\n$hash", "-hmac '$secret'");
    like($send->("SDK-HMAC-SHA256 Access=$access, SignedHeaders=$names, Signature=$mac"), qr{\AHTTP/1\.1 200 OK\r\n}, 'a request that openssl signed');
    my $info = substr($date, 0, 8) . '/' . $c->region . '/das';
    my ($key) = lc(`openssl kdf -keylen 32 -kdfopt digest:SHA256 -kdfopt key:$secret -kdfopt salt:$access -kdfopt info:$info HKDF`) =~ s/[:\s]//gr;
    $mac = openssl_digest("V11-HMAC-SHA256\n$date\n$info\n$hash", "-hmac $key");
    like($send->("V11-HMAC-SHA256 Credential=$access/$info, SignedHeaders=$names, Signature=$mac"), qr{\AHTTP/1\.1 200 OK\r\n}, 'and one of V11');
    substr($mac, 5, 1) = $mac =~ /^.{5}0/ ? '1' : '0';
    like($send->("V11-HMAC-SHA256 Credential=$access/$info, SignedHeaders=$names, Signature=$mac"), qr{\AHTTP/1\.1 401 }, 'one digit is another');
}

# --- who is refused ----------------------------------------------------------------------------------

my $switch = of($c, 'auto-flow/get-kill-process-task-switch');
is(call($c, 'GET', $switch)->{status}, 200, 'signed here');
is(call($c, 'GET', $switch, v11 => 1)->{status}, 200, 'with V11');
is(call($c, 'GET', $switch, headers => { 'X-Sdk-Content-Sha256' => 'UNSIGNED-PAYLOAD' })->{status}, 200, 'without the body');
refused(call($c, 'GET', $switch, secret => 'another'), 401, 'APIGW.0301', qr{^Incorrect IAM authentication information: verify aksk signature fail, canonicalRequest:GET\|/v3/.*/\|\|host:[^\n]*$}, 'another secret');
refused(call($c, 'GET', $switch, access => 'NOBODY'), 401, 'APIGW.0301', qr/Get secretKey failed,ak:NOBODY,err:ak not exist/, 'another key');
refused(call($c, 'GET', $switch, anonymous => 1), 401, 'APIGW.0301', qr/x-auth-token not found/, 'nobody');
refused(call($c, 'GET', $switch, headers => { 'X-Sdk-Content-Sha256' => '0' x 64 }), 401, 'APIGW.0301', qr/x-sdk-content-sha256/, 'the hash of another body');
refused(call($c, 'GET', $switch, headers => { 'X-Project-Id' => 'f' x 32 }), 401, 'APIGW.0301', qr/x-project-id/, 'signed for another project');
refused(call($c, 'GET', $switch, v11 => 1, region => 'elsewhere-1'), 401, 'APIGW.0301', qr/region/, 'V11 for another region');
refused(call($c, 'GET', $switch, v11 => 1, service => 'ecs'), 401, 'APIGW.0301', qr/service/, 'V11 for another service');
{
    my $authorization = Signature::sign({ method => 'GET', path => $switch, headers => [ [ 'X-Sdk-Date', stamp() ] ], date => stamp(), access => $c->access, secret => $c->secret });
    my $say = sub { my ($value, @more) = @_; return wire($c, join "\r\n", "GET $switch HTTP/1.1", "Host: x", "X-Sdk-Date: " . stamp(), "Authorization: $value", @more, '', '') };
    like($say->($authorization =~ s/x-sdk-date/x-sdk-date;x-sdk-none/r), qr/x-sdk-none, which is missing/, 'a signed header that is missing');
    like($say->($authorization =~ s/SignedHeaders=x-sdk-date/SignedHeaders=host/r), qr/x-sdk-date is missing, not signed/, 'a date that is not signed');
    my $unsorted = Signature::sign({ method => 'GET', path => $switch, headers => [ [ 'X-Sdk-Date', stamp() ], [ 'Host', 'x' ] ], date => stamp(), access => $c->access, secret => $c->secret },
        'x-sdk-date;host');
    like($say->($unsorted), qr/not sorted/, 'signed in another order');
    like($say->($authorization =~ s/SDK-HMAC-SHA256/SDK-HMAC-MD5/r), qr/format is incorrect/, 'another algorithm');
    like($say->($authorization, 'X-Project-Id: ' . $c->project), qr/x-project-id is not signed/, 'a project that is not signed');
}
for my $offset (-901, 901) {
    my ($server, $mine) = (stamp(), stamp(time + $offset));
    refused(call($c, 'GET', $switch, date => $mine), 401, 'APIGW.0301', qr/signature expired, signature time:$mine,server time:\d{8}T\d{6}Z$/, "a clock that is $offset s off");
    $c->set(now_offset => $offset);
    my $r = call($c, 'GET', $switch, date => $mine);
    is($r->{status}, 200, '... and so is the server');
    isnt($r->{headers}{date}, undef, '... which tells its time');
    my ($H, $M) = $r->{headers}{date} =~ /(\d\d):(\d\d):\d\d GMT$/;
    my $told = $H * 60 + $M - (gmtime(time + $offset))[2] * 60 - (gmtime(time + $offset))[1];
    ok($told == 0 || abs($told) == 1 || abs($told) == 1439, '... and that is wrong');
    $c->set(now_offset => 0);
}
is(call($c, 'GET', $switch, date => stamp(time + 870))->{status}, 200, 'a clock that is less than 15 minutes off');
$c->set(deny => ['das:clouddba:showKillTaskSwitch']);
refused(call($c, 'GET', $switch), 403, 'APIGW.0302', qr/not authorized/, 'without the permission');
$c->set(deny => []);
refused(call($c, 'GET', '/v3/nothing'), 404, 'APIGW.0101', qr/does not exist/, 'an unknown path');
refused(call($c, 'PATCH', $switch), 404, 'APIGW.0101', qr/does not exist/, 'an unknown method');
$c->set(lock_after => 5);
call($c, 'GET', $switch, secret => 'another') for 1 .. 5;
refused(call($c, 'GET', $switch), 401, 'APIGW.0301', qr/AK access failed to reach the limit/, 'after five wrong signatures');
$c->set(lock_after => 0);
$c->key(access => 'TEMPORARY', secret => 'ItsSecret', security_token => 'sec+tok/en==');
refused(call($c, 'GET', $switch), 401, 'APIGW.0301', qr/security token/, 'a temporary key without its token');
is(call($c, 'GET', $switch, session => 'sec+tok/en==')->{status}, 200, 'and with it');
$c->key(access => 'ACCESSKEYOFTHETEST00', secret => 'SecretKeyOfTheTestThatNobodyMayTell00000');
refused(call($c, 'GET', of($c, '') =~ s/instances.*/instances?datastore_type=MySQL/r =~ s/$c->{project}/'a' x 32/er, headers => { 'X-Project-Id' => 'a' x 32 }), 400, 'DAS.200113', qr/project_id/, 'another project');
refused(call($c, 'GET', $switch =~ s/in01/in02/r), 400, 'DAS.200114', qr/instance_id/, 'an unknown instance');
is_deeply([ $c->violations ], [], 'none of that is bad manners');

# --- tokens ------------------------------------------------------------------------------------------

sub token {
    my ($c, $scope, %other) = @_;
    my %user = (name => 'ops', password => 'pass word', domain => { name => 'example' }, %other);
    return call($c, 'POST', '/v3/auth/tokens?nocatalog=true', anonymous => 1, body => { auth => { identity => { methods => ['password'], password => { user => \%user } }, scope => $scope } });
}
{
    my $r = token($c, { project => { name => $c->region } });
    is($r->{status}, 201, 'a token for a name and a password');
    my $token = $r->{headers}{'x-subject-token'};
    cmp_ok(length $token, '>', 1000, '... in a header');
    is($r->{data}{token}{project}{id}, $c->project, '... tells the project');
    like($r->{data}{token}{expires_at}, qr/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/, '... and when it ends');
    is(token($c, { project => { id => $c->project } })->{data}{token}{project}{name}, $c->region, 'also by id');
    is(token($c, { domain => { name => 'example' } })->{data}{token}{project}, undef, 'also for no project');
    my $with = sub { my ($t, $target) = @_; return call($c, 'GET', $target || $switch, headers => { 'X-Auth-Token' => $t }) };
    is($with->($token)->{status}, 200, 'the token is good');
    is(($c->requests)[-1]{auth}, 'token', '... and seen');
    refused($with->("$token."), 401, 'APIGW.0301', qr/decrypt token fail/, 'another is not');
    is($c->expire_tokens >= 3, 1, 'all expire');
    refused($with->($token), 401, 'APIGW.0301', qr/token expires, expires_at: \d{4}-/, 'an expired one');
    $token = token($c, { project => { name => $c->region } })->{headers}{'x-subject-token'};
    $c->expire_tokens('update');
    refused($with->($token), 401, 'APIGW.0307', qr/must be updated/, 'one that must be updated');
    $c->set(token_life => 100);
    $token = token($c, { project => { name => $c->region } })->{headers}{'x-subject-token'};
    is($with->($token)->{status}, 200, 'a short one');
    $c->set(now_offset => 101);
    refused($with->($token), 401, 'APIGW.0301', qr/token expires/, 'does not live long');
    $c->set(now_offset => 0);
    for ([ password => 'wrong' ], [ name => 'nobody' ], [ domain => { name => 'other' } ]) {
        $r = token($c, { project => { name => $c->region } }, @$_);
        is($r->{status}, 401, "wrong $_->[0]");
        is($r->{data}{error}{code}, 401, '... in IAM\'s form');
    }
    is(token($c, { project => { name => 'elsewhere-1' } })->{status}, 401, 'a project that is not there');
    is(token($c, {})->{status}, 400, 'for nothing');
    $r = call($c, 'GET', '/v3/projects?name=' . $c->region);
    is_deeply([ map { $_->{id} } @{ $r->{data}{projects} } ], [ $c->project ], 'the project of a region');
    $c->set(projects => { $c->region => [ $c->project, 'b' x 32 ] });
    is(scalar @{ call($c, 'GET', '/v3/projects?name=' . $c->region)->{data}{projects} }, 2, 'or two');
    is(call($c, 'GET', '/v3/projects', v11 => 1, service => 'iam')->{status}, 200, 'V11 for IAM');
    is_deeply([ $c->violations ], [], 'none of that is bad manners');
}

# --- the example of the documents -----------------------------------------------------------------------

my $preview = of($c, 'auto-flow/preview-session-for-kill-process-task');
my $question = '{"user":"root","host":"100.%","db":"cds","command":"Query","info":"select~from~das","time":5}';
my $example = '{"success":false,"data_sync_time":1766655104,"total_count":1,"processes":[{"id":34850917,"user":"root","host":"100.79.0.247:59474","db":"cds",'
    . '"state":"User sleep","command":"Query","sql_info":"SELECT sleep(49599)\nLIMIT 0, 50","state_duration":7}]}';
my %row = (id => 34850917, user => 'root', host => '100.79.0.247:59474', db => 'cds', state => 'User sleep', command => 'Query', sql_info => "SELECT sleep(49599)\nLIMIT 0, 50", state_duration => 7);
$c->forget;
$c->script(PreviewSessionForKillProcessTask => [ { status => 200, body => $example } ]);
my $r = call($c, 'POST', $preview, raw => $question);
is($r->{content}, $example, 'the answer of the documents, byte by byte, when it is said');
is(($c->requests('preview'))[0]{body}, $question, 'the request of the documents, byte by byte');
$c->sessions([ \%row ], frozen => 1);
$c->set(data_sync_time => 1766655104);
is_deeply(call($c, 'POST', $preview, raw => $question)->{data}, { success => JSON::PP::false, data_sync_time => 1766655104, total_count => 0, processes => [] },
    'keywords do not select its row');
$c->set(info_reading => 'loose');
is(call($c, 'POST', $preview, raw => $question)->{content}, $example, 'read loosely, they do: the same bytes');
$c->set(info_reading => 'keywords', data_sync_time => undef);
is($c->count('preview'), 3, 'three previews');
is($c->count, 3, 'and nothing else');

# --- previews --------------------------------------------------------------------------------------------

$c->sessions([
    { id => 1, user => 'app', host => '10.0.0.1:5000', db => 'orders', command => 'Query', state => 'Sending data', sql_info => 'SELECT a FROM lines', state_duration => 50 },
    { id => 2, user => 'App', host => '10.0.0.2:5000', db => 'orders', command => 'Sleep', sql_info => '', state_duration => 10 },
    { id => 3, user => 'app', host => '10.1.0.1:5000', db => undef, command => 'Query', sql_info => "select x\nfrom a_b", state_duration => 5 },
    { id => 4, user => 'report', host => '[fe80::1]:33', db => 'orders_x', command => 'Binlog Dump', sql_info => 'UPDATE t SET a = 1', state_duration => 1000 },
    { id => 5, user => 'rdsadmin', host => 'localhost', db => 'mysql', command => 'Query', sql_info => 'FROM then SELECT', state_duration => 3 },
], frozen => 1);
for (
    [ '1,2,3,4,5', 'none' ], [ '1,2,3,4,5', 'empty texts', map({ $_ => '' } qw(user host db command info)), task_duration => 10, task_type => 'auto' ],
    [ '1,3', 'user', user => 'app' ], [ '', 'user and %', user => 'app%' ], [ '1,2', 'db', db => 'orders' ], [ '1,3,5', 'command', command => 'QUERY' ],
    [ '1,2', 'host and %', host => '10.0.%' ], [ '1', 'host without a port', host => '10.0.0.1' ], [ '1', 'host with a port', host => '10.0.0.1:5000' ],
    [ '', 'part of a host', host => '10.0' ], [ '3', 'host with % in the middle', host => '10.%.1:5%', db => '', info => 'x' ], [ '4', 'an IPv6 host', host => '[fe80::1]' ],
    [ '1,4', 'time', time => 50 ], [ '4', 'time above', time => 51 ], [ '1,3', 'keywords in order', info => 'SELECT ~ from' ], [ '3', 'a keyword of two lines', info => "x\nfrom" ],
    [ '', 'no pattern', info => 'a.b' ], [ '3', 'AND', user => 'app', info => 'from a_b' ],
) {
    my ($want, $name, %criteria) = @$_;
    my $r = preview($c, %criteria);
    is(ids($r), $want, "preview by $name");
    is($r->{data}{total_count}, scalar(split /,/, $want), '... counted');
}
is(preview($c)->{data}{processes}[2]{db}, undef, 'a session without a database');
$r = preview($c);
cmp_ok(abs($r->{data}{data_sync_time} - time), '<', 60, 'of now');
for ([ time => undef ], [ time => '5' ], [ time => -1 ], [ time => 1.5 ], [ user => 7 ], [ user => ['app'] ], [ task_type => 'once' ], [ task_duration => 9 ], [ task_duration => 31_536_000 ],
    [ info => join '~', 1 .. 129 ]) {
    refused(preview($c, @$_), 400, 'DAS.200100', qr/^The parameter is invalid\. $_->[0]/, "$_->[0] as " . encode_json([ $_->[1] ]));
}
refused(call($c, 'POST', $preview, raw => '{'), 400, 'DAS.200100', qr/body/, 'no JSON');
refused(call($c, 'POST', $preview, raw => '[]'), 400, 'DAS.200100', qr/body/, 'no object');
$c->set(strict => 1);
refused(preview($c), 400, 'DAS.200100', qr/task_type/, 'read strictly, without task_type');
refused(preview($c, task_type => 'auto'), 400, 'DAS.200100', qr/task_duration/, 'without task_duration');
refused(preview($c, task_type => 'auto', task_duration => 10, command => 'Binlog Dump'), 400, 'DAS.200100', qr/command/, 'a command that the list has not');
is(ids(preview($c, task_type => 'manual', task_duration => 10, command => 'table dump')), '', 'one that it has');
$c->set(strict => 0);
$c->sessions([ map { { %row, id => $_ } } 1 .. 450 ], instance => '1234567890abcdef1234567890abcdefin07');
$r = call($c, 'POST', $preview =~ s/\Q$c->{instance}/1234567890abcdef1234567890abcdefin07/r, body => { time => 0 });
is(scalar @{ $r->{data}{processes} }, 200, 'at most 200 sessions');
is($r->{data}{total_count}, 450, 'of all that there are');
$c->set(rows => 200_000);
$r = preview($c);
is(scalar(() = $r->{content} =~ /"state_duration"/g), 200_000, 'as many rows as are told');
$c->set(rows => 2000);
is(preview($c)->{data}{processes}[1999]{id}, 2000, '... which is JSON');
$c->set(rows => 0);
{
    use utf8;
    $c->sessions([ { %row, user => 'é', sql_info => "SELECT '漢\x{1f600}\"\\\t'" } ]);
    is(preview($c, user => 'é', info => '漢')->{data}{processes}[0]{sql_info}, "SELECT '漢\x{1f600}\"\\\t'", 'in any language');
}
my $age = preview($c)->{data}{processes}[0]{state_duration};
my $end = time + 30;
sleep 0.05 while time < $end && preview($c)->{data}{processes}[0]{state_duration} == $age;
cmp_ok(preview($c)->{data}{processes}[0]{state_duration}, '>', $age, 'sessions grow older');

# --- kills -----------------------------------------------------------------------------------------------

my @five = map { { %row, id => $_, user => $_ == 5 ? 'rdsAdmin' : $_ % 2 ? 'odd' : 'even', db => "db$_" } } 1 .. 5;
$c->sessions(\@five, frozen => 1);
$c->forget;
$r = call($c, 'POST', of($c, 'kill-process'), body => { engine_type => 'mysql', processes => [ { id => 1, user => 'odd' }, { id => 2, user => 'odd' }, { id => 9, user => 'odd' }, { id => 5, user => 'rdsAdmin' } ] });
is_deeply($r->{data}, { count => 1 }, 'kill-process ends whose id and user match');
is(killed($c), '1:kill_process', '... and nobody else');
refused(call($c, 'POST', of($c, 'kill-process'), body => { processes => [ { id => 1, user => 'x' } ] }), 400, 'DAS.200100', qr/engine_type/, 'without the engine');
refused(call($c, 'POST', of($c, 'kill-process'), body => { engine_type => 'mysql', processes => [ { id => '1', user => 'x' } ] }), 400, 'DAS.200100', qr/processes/, 'an id as a text');
refused(call($c, 'POST', of($c, 'kill-process'), body => { engine_type => 'mysql', processes => [ { id => 2 } ] }), 400, 'DAS.200100', qr/processes/, 'without the user');
refused(call($c, 'POST', of($c, 'kill-process'), body => { engine_type => 'mysql', processes => [] }), 400, 'DAS.200100', qr/processes/, 'nobody');
my $db_user = '11112222-3333-4444-5555-666677778888';
$r = call($c, 'DELETE', of($c, 'process'), body => { db_user_id => $db_user, process_ids => [ '2', '9' ] });
is("$r->{status} $r->{content}", '200 ', 'DELETE process ends by id, and says nothing');
is(killed($c), '1:kill_process 2:delete_process', '... and nobody else');
is_deeply([ $c->violations ], [], 'so far with care');
refused(call($c, 'DELETE', of($c, 'process'), body => { process_ids => ['3'] }), 400, 'DAS.200112', qr/db_user_id/, 'without the database user');
refused(call($c, 'DELETE', of($c, 'process'), body => { db_user_id => $db_user =~ tr/1/9/r, process_ids => ['3'] }), 400, 'DAS.220003', qr/user does not exist/, 'an unknown database user');
refused(call($c, 'DELETE', of($c, 'process'), body => { db_user_id => $db_user }), 400, 'DAS.200100', qr/process_ids/, 'without anything');
refused(call($c, 'DELETE', of($c, 'process'), body => { db_user_id => $db_user, process_ids => [3] }), 400, 'DAS.200100', qr/process_ids/, 'ids as numbers');
call($c, 'DELETE', of($c, 'process'), body => { db_user_id => $db_user, user => 'odd' });
is(killed($c), '1:kill_process 2:delete_process 3:delete_process', 'the form by user ends all of them');
is_deeply([ $c->violations ], ['delete_process by user, which ends what nobody has seen'], '... which is bad manners');
$c->switch('OFF');
refused(call($c, 'POST', of($c, 'auto-flow/kill-all-session')), 400, 'DAS.200100', qr/switch/, 'kill-all-session while the switch is off');
$c->switch('ON');
is_deeply(call($c, 'POST', of($c, 'auto-flow/kill-all-session'))->{data}, { success => JSON::PP::true }, 'kill-all-session');
is(killed($c), '1:kill_process 2:delete_process 3:delete_process 4:kill_all', '... ends all but the system\'s');
is(join(',', map { $_->{id} } @{ $c->sessions }), 5, '... which is left');

# --- tasks, their switch, their history --------------------------------------------------------------------

my $get = sub { return call($c, 'GET', of($c, 'auto-flow/get-kill-process-task-switch'))->{data}{status} };
my $set = sub { return call($c, 'POST', of($c, 'auto-flow/set-kill-process-task-switch'), body => { status => $_[0] }) };
is($get->(), 'ON', 'the switch');
is($set->('off')->{data}{success}, JSON::PP::true, 'is changed');
is($get->(), 'OFF', '... and says so in capitals');
refused($set->('ON'), 400, 'DAS.200100', qr/status/, 'but is not told so');
my $create = sub { return call($c, 'PUT', of($c, 'auto-flow/add-kill-process-task'), body => { time => 5, task_duration => 30, task_type => 'auto', @_ }) };
refused($create->(user => 'odd'), 400, 'DAS.200100', qr/switch/, 'no task while it is off');
$c->set(switching => 2);
$set->('on');
is(join(' ', map { $get->() } 1 .. 4), 'switching switching ON ON', 'it may take a while');
$c->switch('switching', answers => 1, then => 'OFF');
is(join(' ', map { $get->() } 1 .. 2), 'switching OFF', 'as the test says');
$c->switch('ON');
$c->sessions(\@five, frozen => 1);
$c->forget;
is_deeply($create->(user => 'odd')->{data}, { success => JSON::PP::true }, 'a task, whose id is not told');
is($create->(user => 'even', task_type => 'manual', info => 'sleep')->{status}, 200, 'another');
my $tasks = sub { return @{ call($c, 'GET', of($c, 'auto-flow/query-kill-process-task'))->{data}{sql_killing_task_resp_list} } };
my @tasks = $tasks->();
is_deeply([ map { "$_->{task_id} $_->{user}|$_->{db}|$_->{info} $_->{task_type}" } @tasks ], [ '1001 odd|| auto', '1002 even||sleep manual' ], 'both are listed');
is($tasks[0]{end_time} - $tasks[0]{start_time}, 30_000, '... in milliseconds');
is($tasks[1]{end_time}, 0, '... or until it is stopped');
refused($create->(task_duration => undef), 400, 'DAS.200100', qr/task_duration/, 'without a duration');
refused($create->(task_type => undef), 400, 'DAS.200100', qr/task_type/, 'without a type');
refused($create->(time => undef), 400, 'DAS.200100', qr/time/, 'without a time');
is($create->()->{status}, 200, 'five at once') for 3 .. 5;
refused($create->(), 400, 'DAS.200100', qr/At most 5/, 'not six');
my $stop = sub { return call($c, 'POST', of($c, 'auto-flow/terminate-kill-process-task'), body => { task_id => $_[0] }) };
is($stop->("$_")->{status}, 200, 'stopped by a text') for 1003, 1004;
is($stop->(1005)->{status}, 200, 'by a number');
refused($stop->(1005), 400, 'DAS.200100', qr/no such task/, 'not twice');
refused($stop->('x'), 400, 'DAS.200100', qr/task_id/, 'no id');
is(scalar @{[ $tasks->() ]}, 2, 'two are left');
$c->set(list_ended => 1);
is(scalar @{[ $tasks->() ]}, 5, 'or those that ended are listed, too');
$c->set(list_ended => 0, task_times => 's');
cmp_ok(($tasks->())[0]{start_time}, '<', 1e11, 'in seconds, as the test says');
is($c->scan, 4, 'tasks end what they select');
is(killed($c), '1:task 3:task 2:task 4:task', '... each its own');
my ($ms_from, $ms_to) = map { int(1000 * (time + $_)) } -3600, 3600;
my $history = sub { my ($query, $from, $to) = @_; return call($c, 'GET', of($c, "auto-flow/query-kill-process-history?start_time=@{[ $from // $ms_from ]}&end_time=@{[ $to // $ms_to ]}&$query")) };
$r = $history->('page_num=1&page_size=5');
is(join(' ', map { "$_->{session_id}:$_->{task_id}" } @{ $r->{data}{killed_sessions} }[ 0 .. 3 ]), '4:1002 2:1002 3:1001 1:1001', 'the history, newest first');
cmp_ok($r->{data}{total_count}, '>', 5, '... has more than a page');
is(scalar @{ $history->('page_num=2&page_size=5')->{data}{killed_sessions} }, $r->{data}{total_count} - 5, '... on the next one');
is($history->('page_num=1&page_size=5', $ms_from, $ms_from + 1000)->{data}{total_count}, 0, '... of a span');
is($history->('page_num=1&page_size=50&node_id=none')->{data}{total_count}, 0, '... of a node');
refused($history->($_), 400, 'DAS.200100', qr/page/, "history with $_") for 'page_num=1', 'page_size=5', 'page_num=0&page_size=5', 'page_num=1&page_size=7';
$c->set(now_offset => 31);
is(scalar @{[ call($c, 'GET', of($c, 'auto-flow/query-kill-process-task'), date => stamp(time + 31))->{data}{sql_killing_task_resp_list} ]->[0] }, 1, 'an auto task ends by itself');
$c->set(now_offset => 0, task_times => 'ms');
$c->sessions(\@five, frozen => 1);
$c->set(scan_every => 3600);
is(ids(preview($c, user => 'even')), '', 'or tasks run by themselves');
$c->set(scan_every => 0);

# --- the other lists -----------------------------------------------------------------------------------------

$c->sessions([ map { { %row, id => $_, user => $_ % 2 ? 'odd' : 'even', trx_time => $_ * 10 } } 1 .. 25 ], frozen => 1);
my $list = sub { return call($c, 'GET', of($c, "processes?db_user_id=$db_user&$_[0]")) };
is($list->('user=odd')->{data}{count}, 13, 'processes of a user');
is(ids($list->('user=odd&offset=10&limit=10')), '21,23,25', '... by pages');
is_deeply($list->('database=cds&limit=1')->{data}{processes}, [ { id => '1', user => 'odd', host => '100.79.0.247:59474', database => 'cds', command => 'Query', time => '7',
    state => 'User sleep', sql => $row{sql_info}, trx_executed_time => '10' } ], '... all of it texts');
like($list->('database=cds&limit=1')->{content}, qr/"time":"7"/, '... also numbers');
refused($list->('user=odd&limit=101'), 400, 'DAS.200104', qr/limit/, 'a large page');
refused($list->('user=odd&offset=-1'), 400, 'DAS.200103', qr/offset/, 'before the first');
refused($list->(''), 400, 'DAS.200100', qr/user/, 'of nobody');
refused(call($c, 'GET', of($c, 'processes?user=odd')), 400, 'DAS.200112', qr/db_user_id/, 'without the database user');
my $query = sub { return call($c, 'GET', of($c, "query-process-list?engine_type=MySQL&$_[0]")) };
$r = $query->('cur_page=2&per_page=10&user=odd&order_by=id&order=desc');
is(join(',', map { $_->{id} } @{ $r->{data}{data} }), '5,3,1', 'the process list, by pages, in an order');
is($r->{data}{total}, 13, '... counted');
is_deeply([ sort @{ $r->{data}{user_info_list} } ], [qw(even odd)], '... with the users that there are');
is_deeply($r->{data}{host_info_list}, ['100.79.0.247'], '... and addresses');
is($query->('keywords=LIMIT%200')->{data}{total}, 25, '... by a word');
refused(call($c, 'GET', of($c, 'query-process-list')), 400, 'DAS.200100', qr/engine_type/, 'without the engine');
refused($query->('order=up'), 400, 'DAS.200105', qr/order/, 'in no order');
my @lists = ([ locks => { innodb_trx => [ { trx_id => '7', trx_mysql_thread_id => '3' } ], innodb_lock_waits => [ { requesting_trx_id => '7' } ] } ],
    [ metadata_locks => [ { thread_id => '3', table_schema => 'cds', table_name => 't' }, { thread_id => '4', table_schema => 'cds', table_name => 'u' } ] ],
    [ transactions => [ map { { last_sec => $_, occurrence_time => int(1000 * (time - 60)) + $_, collect_time => 1, wait_locks => 0, hold_locks => 1, detail => '' } } 5, 50, 500 ] ],
    [ history => [] ]);
$c->can($_->[0])->($c, $_->[1]) for @lists;
is_deeply(call($c, 'GET', of($c, "innodb-locks?db_user_id=$db_user"))->{data}, { %{ $lists[0][1] }, count => 1 }, 'InnoDB locks');
is(call($c, 'GET', of($c, "metadata-locks?db_user_id=$db_user"))->{data}{count}, 2, 'metadata locks');
is_deeply(call($c, 'GET', of($c, "metadata-locks?db_user_id=$db_user&database=cds&table=u"))->{data}{metadata_locks}, [ $lists[1][1][1] ], '... of a table');
my $long = sub { my ($from, $query) = @_; return call($c, 'GET', of($c, "transaction?datastore_type=MySQL&start_at=$from&end_at=$ms_to&$query")) };
is_deeply([ map { $_->{last_sec} } @{ $long->($ms_from, 'last_sec_min=50&order=desc&order_by=last_sec')->{data}{transaction_info_list} } ], [ 500, 50 ], 'long transactions');
refused($long->(1, ''), 400, 'DAS.200101', qr/start_at/, 'of years ago');
refused(call($c, 'GET', of($c, "transaction?start_at=$ms_from&end_at=$ms_to")), 400, 'DAS.200107', qr/datastore_type/, 'of no kind of database');
my $instances = sub { return call($c, 'GET', of($c, '') =~ s{instances/.*}{instances?$_[0]}r) };
$c->instances([ map { { instance_id => sprintf('%032d', $_) . 'in01', instance_name => "orders-$_", version => '5.7' } } 1 .. 3 ]);
is($instances->('datastore_type=MySQL')->{data}{total_count}, 4, 'instances');
is_deeply([ map { $_->{instance_name} } @{ $instances->('datastore_type=MySQL&offset=1&limit=2')->{data}{instance_list} } ], [ 'orders-2', 'orders-3' ], '... by pages');
is($instances->('datastore_type=TaurusDB')->{data}{instance_list}[0]{engine_type}, 'TaurusDB', '... of another kind');
refused($instances->(''), 400, 'DAS.200107', qr/datastore_type/, 'of no kind');
refused($instances->('datastore_type=MySQL&limit=201'), 400, 'DAS.200104', qr/limit/, 'too many');
is(call($c, 'GET', of($c, '') =~ s{instances/.*}{"instance/nodes-info?datastore_type=MySQL&instance_id=" . $c->instance}er)->{data}{instance_nodes}[0]{role}, 'master', 'nodes');
is_deeply(call($c, 'GET', of($c, 'db-users?offset=0&limit=10'))->{data}, { total => 1, db_users => [ { db_user_id => $db_user, db_username => 'admin' } ] }, 'database users');
is(call($c, 'GET', '/das', anonymous => 1)->{data}{versions}[0]{id}, 'v3', 'versions, for anybody');

# --- bad manners ---------------------------------------------------------------------------------------------

$c->forget;
preview($c, colour => 'red', user => $c->secret);
call($c, 'GET', "$switch?when=now&when=then");
call($c, 'POST', of($c, 'auto-flow/kill-all-session'), body => {});
call($c, 'GET', $switch, headers => { 'X-Note' => 'pass word' });
is_deeply([ sort $c->violations ], [ 'kill_all has a body', 'preview has an unknown field colour', 'preview tells the secret key', 'switch_get has a parameter twice: when',
    'switch_get has an unknown parameter when', 'switch_get has an unknown parameter when', 'switch_get tells a password' ], 'what a careful client never does');

# --- said by the test ------------------------------------------------------------------------------------------

$c->sessions([ map { { %row, id => $_ } } 1 .. 3 ], frozen => 1);
$c->after('preview', 2, { sessions => [ { %row, id => 8 } ], switch => 'OFF' });
is(join(' ', map { ids(preview($c)) } 1 .. 4), '1,2,3 1,2,3 8 8', 'another list after the second preview');
is($c->switch, 'OFF', 'and the switch');
$c->add([ { %row, id => 9 } ]);
$c->remove([8]);
is(ids(preview($c)), '9', 'one came, one went');
eval { $c->script('nothing', []) };
like($@, qr/there is no operation nothing; there are: .*preview/, 'a name that there is not is an error');
eval { $c->script('preview', [ { dely => 1 } ]) };
like($@, qr/there is no dely/, 'so is a step');
eval { $c->set(colour => 1) };
like($@, qr/there is no colour/, 'and an option');

my %env = %{ $c->env };
is_deeply([ sort keys %env ], [ map { "HUAWEICLOUD_SDK_$_" } qw(AK IAM_ENDPOINT PROJECT_ID REGION_DAS_CN_NORTH_4 SK) ], 'the variables of the SDKs');
is_deeply([ grep { /the server failed/ } $c->violations ], [], 'the server made no mistake');

done_testing();
