#!/usr/bin/perl
# http.t - das.http against real servers on this machine: what it sends, what it follows, what it
# refuses, when it gives up.
use strict;
use warnings;
use Test::More;
use Compress::Zlib ();
use File::Temp qw(tempdir tempfile);
use JSON::PP;
use Time::HiRes qw(time sleep);
use POSIX qw(strftime);
use lib 'tests/e2e/lib';
use WebServer;

my $driver = ($ENV{BUILD} || 'build') . '/tests/e2e/http_run';
my $dir = tempdir(CLEANUP => 1);

# Runs Lua with these grants, limits and secrets; "URL" and "PORT" in it are those of the server.
our $web;
sub web_port { return $web ? $web->{port} : 0 }    # 0 in a server that was started before it
sub run {
    my ($args, $lua) = @_;
    my ($fh, $script) = tempfile(SUFFIX => '.lua', DIR => $dir);
    my $url = "http://127.0.0.1:$web->{port}";
    $lua =~ s/URL/$url/g;
    $lua =~ s/PORT/$web->{port}/g;
    print $fh $lua;
    close $fh;
    my $begin = time;
    my $out = `timeout 60 $driver @{[ map { "'$_'" } @$args ]} $script 2>$script.err`;
    my $r = { exit => $? >> 8, out => $out, s => time - $begin };
    open my $in, '<', "$script.err" or die;
    local $/;
    $r->{err} = <$in>;
    @$r{qw(requests bytes)} = $r->{err} =~ /^used: (\d+) requests, (\d+) bytes/m;
    return $r;
}
my $here = ['grant=http:127.0.0.1'];

sub prints {
    my ($lua, $want, $name, $args) = @_;
    my $r = run($args || $here, $lua);
    is($r->{out}, $want, $name) or diag($r->{err});
    return $r;
}

sub raises {
    my ($lua, $want, $name, $args) = @_;
    my $r = run($args || $here, $lua);
    ok($r->{exit} == 1, "$name: raises") or diag("exit $r->{exit}: $r->{out}");
    like($r->{err}, $want, "$name: says so");
    return $r;
}

# nil, message, code
sub fails {
    my ($call, $code, $want, $name, $args) = @_;
    my $r = run($args || $here, "print(select('#', $call), $call)");
    my ($n, $nil, $message, $got) = split /\t/, $r->{out} =~ s/\n\z//r;
    ok(defined $got && $nil eq 'nil' && $got eq $code, "$name: nil, message, \"$code\"") or diag("$r->{out}$r->{err}");
    like($message // '', $want, "$name: says so");
    return $r;
}

my $other;
my %answers = (
    '/plain' => sub { [200, { 'Content-Type' => 'text/plain', 'X-Twice' => ['one', 'two'] }, 'hello'] },
    '/json' => sub { [200, {}, '{"id":9007199254740993,"list":[1,2]}'] },
    '/bad-json' => sub { [200, {}, '{"id":'] },
    '/echo' => sub { [200, {}, encode_json($_[0])] },
    '/empty' => sub { [204, {}] },
    '/500' => sub { [500, {}, 'oops'] },
    '/404' => sub { [404, {}, 'no'] },
    '/chunked' => sub {
        WebServer::syswrite_all($_[1], "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Late\r\n\r\n");
        WebServer::syswrite_all($_[1], sprintf("%x\r\n%s\r\n", length, $_)) for 'one ', 'two ', 'three';
        WebServer::syswrite_all($_[1], "0\r\nX-Late: yes\r\n\r\n");
        return;
    },
    '/http10' => sub { WebServer::syswrite_all($_[1], "HTTP/1.0 200 OK\r\n\r\nold and closed"); return },
    '/http09' => sub { WebServer::syswrite_all($_[1], "just text\n"); return },
    '/continue' => sub { WebServer::syswrite_all($_[1], "HTTP/1.1 103 Early Hints\r\nX-Early: 1\r\n\r\n"); [200, { 'X-Real' => 2 }, 'real'] },
    '/huge' => sub { [200, {}, 'x' x 6_000_000] },
    '/endless' => sub { WebServer::syswrite_all($_[1], "HTTP/1.1 200 OK\r\n\r\n"); 1 while WebServer::syswrite_all($_[1], 'x' x 100_000); return },
    '/endless-headers' => sub { WebServer::syswrite_all($_[1], "HTTP/1.1 200 OK\r\n"); my $i = 0; 1 while $i++ < 100_000 && WebServer::syswrite_all($_[1], 'X-Header: ' . 'x' x 1000 . "\r\n"); return },
    '/gzip' => sub { [200, { 'Content-Encoding' => 'gzip' }, Compress::Zlib::memGzip('squeezed')] },
    '/bomb' => sub { [200, { 'Content-Encoding' => 'gzip' }, Compress::Zlib::memGzip("\0" x 50_000_000)] },
    '/bad-gzip' => sub { [200, { 'Content-Encoding' => 'gzip' }, 'not gzip at all'] },
    '/slow' => sub { sleep 20; [200, {}, 'late'] },
    '/trickle' => sub { WebServer::syswrite_all($_[1], "HTTP/1.1 200 OK\r\n\r\n"); WebServer::syswrite_all($_[1], 'x') && sleep 0.1 for 1 .. 100; return },
    '/short' => sub { WebServer::syswrite_all($_[1], "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this"); return },
    '/reset' => sub { setsockopt($_[1], Socket::SOL_SOCKET(), Socket::SO_LINGER(), pack('ii', 1, 0)); return },
    '/once/429' => sub { $_[0]{n} == 1 ? [429, { 'Retry-After' => 1 }] : [200, {}, 'n' . $_[0]{n}] },
    '/once/date' => sub { $_[0]{n} == 1 ? [503, { 'Retry-After' => strftime('%a, %d %b %Y %H:%M:%S GMT', gmtime(time + 2)) }] : [200, {}, 'n' . $_[0]{n}] },
    '/once/503' => sub { $_[0]{n} <= 2 ? [503, {}] : [200, {}, 'n' . $_[0]{n}] },
    '/once/reset' => sub { $_[0]{n} == 1 ? $answers::reset->(@_) : [200, {}, 'n' . $_[0]{n}] },
    '/long-wait' => sub { [503, { 'Retry-After' => 3600 }, 'busy'] },
    '/middle-wait' => sub { [503, { 'Retry-After' => 8 }, 'busy'] },
    '/always/503' => sub { [503, {}, 'busy'] },
    '/to/plain' => sub { [302, { Location => '/plain' }, 'there'] },
    '/to/relative' => sub { [301, { Location => '../plain?x=1#frag' }] },
    '/to/nowhere' => sub { [302, {}, 'no location'] },
    '/to/loop' => sub { [302, { Location => '/to/loop' }] },
    '/to/file' => sub { [302, { Location => 'file:///etc/passwd' }] },
    '/to/gopher' => sub { [302, { Location => 'gopher://127.0.0.1:1/x' }] },
    '/to/metadata' => sub { [302, { Location => 'http://169.254.169.254/latest/meta-data/' }] },
    '/to/metadata6' => sub { [302, { Location => 'http://[::ffff:169.254.169.254]/' }] },
    '/to/localhost' => sub { [302, { Location => "http://localhost:@{[ web_port() ]}/echo" }] },
    '/to/garbage' => sub { [302, { Location => 'http://a b/' }] },
    '/to/login' => sub { [302, { Location => "http://user:pw\@127.0.0.1:@{[ web_port() ]}/plain" }] },
    '/reuse-then-die' => sub { [200, {}, "$$"] },
);
$answers::reset = $answers{'/reset'};
$answers{"/to/$_"} = do { my $s = $_; sub { [$s, { Location => '/echo' }] } } for 301, 302, 303, 307, 308;
$answers{"/cross/$_"} = do { my $s = $_; sub { [$s, { Location => "http://127.0.0.1:$other->{port}/echo" }] } } for 302, 307;
$answers{"/hop/$_"} = do { my $n = $_; sub { [302, { Location => $n ? '/hop/' . ($n - 1) : '/plain' }] } } for 0 .. 6;
my $handler = sub {
    my ($path) = $_[0]{path} =~ /^([^?]*)/;
    return $answers{$path} ? $answers{$path}->(@_) : [404, {}, 'nothing here'];
};
$other = WebServer->new(handler => $handler);
$web = WebServer->new(handler => $handler);

subtest 'what comes back' => sub {
    prints(<<'LUA', "200\ttrue\thello\ttext/plain\ttext/plain\ttwo\tnil\t1\n", 'a response');
local r = assert(das.http.get("URL/plain"))
print(r.status, r.ok, r.body, r.headers["Content-Type"], r.headers["content-type"],
  r.headers["X-TWICE"], r.headers.nothing, r.attempts)
LUA
    prints(<<'LUA', "one two\tURL/plain?q=1\tinteger\t200, 5 bytes\n" =~ s/URL/http:\/\/127.0.0.1:$web->{port}/r, 'the rest of it');
local r = assert(das.http.get("URL/plain?q=1#top"))
local all = {}
for _, h in ipairs(r.headers_list) do if h.name == "x-twice" then all[#all + 1] = h.value end end
print(table.concat(all, " "), r.url, math.type(r.time_ms), r)
LUA
    prints('local r = das.http.get("URL/404") print(r.status, r.ok, r.body)', "404\tfalse\tno\n", 'any status is an answer');
    prints('local r = das.http.get("URL/500") print(r.status, r.ok)', "500\tfalse\n", '500 too');
    prints('local r = das.http.get("URL/empty") print(r.status, r.ok, #r.body)', "204\ttrue\t0\n", 'no content');
    prints('local r = das.http.get("URL/chunked") print(r.body, r.headers["x-late"])', "one two three\tnil\n", 'chunked; trailers are no headers');
    prints('print(das.http.get("URL/http10").body)', "old and closed\n", 'HTTP/1.0 until the connection closes');
    prints('local r = das.http.get("URL/continue") print(r.status, r.headers["x-real"], r.headers["x-early"])', "200\t2\tnil\n", 'interim answers are passed over');
    prints('print(das.http.get("URL/gzip").body)', "squeezed\n", 'gzip');
    prints('local r = das.http.request{ url = "URL/plain", method = "HEAD" } print(r.status, #r.body, r.headers["content-type"])', "200\t0\ttext/plain\n", 'HEAD');
    prints('local v = das.http.get("URL/json"):json() print(v.id, #v.list)', "9007199254740993\t2\n", ':json()');
    prints('print(select(3, das.http.get("URL/bad-json"):json()))', "data\n", ':json() of what is none');
    raises('return das.http.get("URL/plain").stats', qr/a response has no field "stats"; did you mean "status"/, 'a mistyped field');
    raises('return das.http.got', qr/das.http has no field "got"; did you mean "get"/, 'a mistyped function');
    fails('das.http.get("URL/http09")', 'data', qr/no proper HTTP answer/, 'HTTP/0.9');
    fails('das.http.get("URL/bad-gzip")', 'data', qr/no proper HTTP/, 'damaged gzip');
};

subtest 'what is sent' => sub {
    $web->forget;
    run($here, <<'LUA');
local post = das.http.post
das.http.get("URL/echo", { headers = { ["X-One"] = "1", ["X-Number"] = 5, ["X-Empty"] = "" } })
post("URL/echo", "raw bytes \0 \xff", { headers = { ["Content-Type"] = "application/x-raw" } })
post("URL/echo", { text = "hi", n = 5 })
das.http.request{ url = "URL/echo", method = "PUT", body = "put" }
das.http.request{ url = "URL/echo", method = "DELETE" }
das.http.request{ url = "URL/echo", method = "PATCH", json = { 1, 2 } }
das.http.request{ url = "URL/echo", json = { a = 1 } }
post("URL/echo")
das.http.request{ url = "URL/echo", method = "OPTIONS" }
post("URL/echo", ("x"):rep(100000))
LUA
    my @r = map { $_->{path} eq '/echo' ? $_ : () } $web->requests;
    is(join(' ', map { $_->{method} } @r), 'GET POST POST PUT DELETE PATCH POST POST OPTIONS POST', 'methods');
    is($r[0]{headers}{'x-one'}, '1', 'a header');
    is($r[0]{headers}{'x-number'}, '5', 'a number as one');
    is($r[0]{headers}{'x-empty'}, '', 'an empty one');
    like($r[0]{headers}{'user-agent'}, qr{^das/\d}, 'who we are');
    is($r[0]{headers}{'accept-encoding'}, 'gzip', 'gzip is welcome');
    is($r[0]{body}, '', 'a GET has no body');
    is($r[1]{headers}{'content-type'}, 'application/x-raw', 'a type');
    is($r[1]{body}, "raw bytes \0 \xff", 'bytes as they are');
    is($r[2]{headers}{'content-type'}, 'application/json', 'a table is JSON');
    is_deeply(decode_json($r[2]{body}), { text => 'hi', n => 5 }, 'the table');
    is($r[3]{body}, 'put', 'PUT has one');
    is($r[4]{body}, '', 'DELETE has none');
    is($r[5]{body}, '[1,2]', 'json with any method');
    is($r[6]{method}, 'POST', 'a body makes it a POST');
    is($r[7]{headers}{'content-length'}, '0', 'an empty POST');
    ok(!exists $r[7]{headers}{'content-type'}, 'has no type');
    ok(!(grep { exists $_->{headers}{expect} } @r), 'nobody waits for 100 Continue');
    ok(!(grep { exists $_->{headers}{referer} || exists $_->{headers}{cookie} } @r), 'no referer, no cookie');
    is(length $r[9]{body}, 100000, 'a large body');
    my %by = map { $_->{connection} => 1 } @r;
    is(scalar keys %by, 1, 'all over one connection');
};

subtest 'what may not be sent' => sub {
    $web->forget;
    raises('das.http.get("URL/plain", { headers = { ["X-A"] = "1\r\nX-B: 2" } })', qr/headers: X-A: a control character \(0x0d\)/, 'a line break in a header');
    raises('das.http.get("URL/plain", { headers = { ["X-A"] = "1\n2" } })', qr/headers: X-A: a control character \(0x0a\)/, 'a line feed');
    raises('das.http.get("URL/plain", { headers = { ["X-A"] = "1\0" } })', qr/headers: X-A: a control character \(0x00\)/, 'a NUL');
    raises('das.http.get("URL/plain", { headers = { ["X-A: 1\r\nX-B"] = "2" } })', qr/headers: a name is/, 'a line break in a name');
    raises('das.http.get("URL/plain", { headers = { [""] = "2" } })', qr/headers: a name is/, 'no name');
    raises('das.http.get("URL/plain", { headers = { Host = "elsewhere" } })', qr/headers: Host is set by das/, 'another host');
    raises('das.http.get("URL/plain", { headers = { ["content-LENGTH"] = "5" } })', qr/headers: content-LENGTH is set by das/, 'a length');
    raises('das.http.get("URL/plain", { headers = { ["Transfer-Encoding"] = "chunked" } })', qr/is set by das/, 'an encoding');
    raises('das.http.get("URL/plain", { headers = { A = {} } })', qr/headers: expected a string or a secret, got table/, 'a header of a wrong type');
    raises('das.http.get("URL/plain", { headers = { "x" } })', qr/headers: names are strings/, 'a list of headers');
    raises('das.http.get("URL/pl\r\nX: 1")', qr/url: byte 0x0d/, 'a line break in the URL');
    raises('das.http.get("URL/pl ain")', qr/url: byte 0x20 at place \d+; write %20/, 'a space in it');
    raises('das.http.get("URL/pl\0ain")', qr/url: byte 0x00/, 'a NUL in it');
    raises('das.http.get("/plain")', qr/url: expected/, 'half a URL');
    raises('das.http.get("ftp://127.0.0.1/")', qr/expected http:\/\/ or https:\/\/, got ftp:/, 'ftp');
    raises('das.http.get("file:///etc/passwd")', qr/expected http:\/\/ or https:\/\//, 'file');
    raises('das.http.get("http://user:pw@127.0.0.1:PORT/")', qr/password does not belong/, 'a password in it');
    raises('das.http.get("http://ex\xc3\xa4mple.com/")', qr/url: byte 0xc3/, 'a name beyond ASCII');
    raises('das.http.get("http://127.0.0.1%2eexample.com/")', qr/not granted: http:127.0.0.1.example.com/, 'an encoded dot is a dot');
    raises('das.http.request{ url = "URL/plain", method = "GET / HTTP/1.1\r\nX: 1" }', qr/method: expected capital letters/, 'a method with more in it');
    raises('das.http.request{ url = "URL/plain", method = "get" }', qr/method: expected capital letters/, 'a small one');
    raises('das.http.request{ url = "URL/plain", method = "CONNECT" }', qr/CONNECT is not for scripts/, 'CONNECT');
    raises('das.http.request{ url = "URL/plain", method = "GET", body = "x" }', qr/a GET has no body/, 'GET with a body');
    raises('das.http.request{ url = "URL/plain", body = "x", json = {} }', qr/two bodies/, 'two bodies');
    raises('das.http.request{ url = "URL/plain", tiemout = 5 }', qr/unknown option "tiemout"; did you mean "timeout"/, 'an unknown option');
    raises('das.http.get("URL/plain", { body = "x" })', qr/unknown option "body"/, 'an option of another form');
    raises('das.http.get("URL/plain", { retry = { tims = 5 } })', qr/retry: unknown option "tims"; did you mean "times"/, 'an unknown one within');
    raises("das.http.get('URL/plain', { timeout = $_ })", qr/timeout: expected 1 ms to 1 hour/, "timeout = $_") for 0, -1, '0/0', '1e9', '"soon"', '"2h"', '"-5ms"';
    raises('das.http.get("URL/plain", { retry = 21 })', qr/retry: at most 20/, 'too many retries');
    raises('das.http.get("URL/plain", { idempotent = 1 })', qr/idempotent: expected true or false/, 'a wrong type');
    raises('das.http.get()', qr/url: expected a string or a secret, got nil/, 'no URL');
    raises('das.http.request{}', qr/url: expected a string or a secret, got nil/, 'none in the table');
    raises('das.http.request("URL")', qr/table expected/, 'no table');
    raises('das.http.post("URL/plain", 5)', qr/body: expected a string or a secret, got number/, 'a number is no body');
    is(scalar(() = $web->requests), 0, 'and no request was made');
};

subtest 'grants' => sub {
    $web->forget;
    raises('das.http.get("URL/plain")', qr/:1: not granted: http:127\.0\.0\.1$/m, 'no grant', []);
    raises('das.http.get("URL/plain")', qr/not granted: http:127\.0\.0\.1/, 'a grant for another', ['grant=http:127.0.0.2', 'grant=http:*.0.0.2', 'grant=https:127.0.0.1', 'grant=preview']);
    raises('das.http.get("http://LOCALHOST.:PORT/plain")', qr/not granted: http:localhost/, 'the name as it is compared');
    fails('das.http.get("URL/plain")', 'denied', qr{^http://127\.0\.0\.1:\d+: not connected: 127\.0\.0\.1 is loopback, for which the grant must name the host}, 'bare http means public hosts', ['grant=http']);
    fails('das.http.get("http://localhost:PORT/plain")', 'denied', qr/is loopback, for which/, 'a name of this machine', ['grant=http']);
    fails('das.http.get("http://2130706433:PORT/plain")', 'denied', qr/127\.0\.0\.1 is loopback/, 'a number that is one', ['grant=http']);
    fails('das.http.get("http://0x7f.1:PORT/plain")', 'denied', qr/127\.0\.0\.1 is loopback/, 'a hexadecimal one', ['grant=http']);
    fails('das.http.get("http://[::ffff:127.0.0.1]:PORT/plain")', 'denied', qr/is loopback/, 'in IPv6 clothes', ['grant=http']);
    fails('das.http.get("http://10.255.255.1/", { connect_timeout = 1 })', 'denied', qr/10\.255\.255\.1 is a private network/, 'a private network', ['grant=http']);
    fails("das.http.get('http://$_/')", 'denied', qr/not connected: \S+ is (?:link-local|a cloud metadata|the unspecified|multicast|broadcast)/, "$_ is never granted", ['grant=http', "grant=http:$_", 'grant=http:' . ($_ =~ /\[(.*)\]/ ? $1 : $_)])
        for qw(169.254.169.254 169.254.1.1 0.0.0.0 100.100.100.200 168.63.129.16 224.0.0.1 255.255.255.255 [::] [fe80::1] [fd00:ec2::254] [::ffff:169.254.169.254] [::ffff:a9fe:a9fe] [64:ff9b::a9fe:a9fe]);
    is(scalar(() = $web->requests), 0, 'nothing was sent');
    prints('print(das.http.get("http://localhost:PORT/plain").status)', "200\n", 'a host that is named may be inside', ['grant=http:localhost']);
    prints('print(das.http.get("http://LocalHost:PORT/plain").status)', "200\n", 'in any case', ['grant=http:localHOST']);
    prints('print(das.http.get("http://db.localhost:PORT/plain").status)', "200\n", 'a wildcard', ['grant=http:*.localhost']);
    raises('print(das.http.get("http://localhost:PORT/plain").status)', qr/not granted/, 'a wildcard is not the domain itself', ['grant=http:*.localhost']);
    raises('print(das.http.get("http://evillocalhost:PORT/plain").status)', qr/not granted/, 'nor a longer name', ['grant=http:*.localhost']);
    raises('print(das.http.get("http://localhost.example.com/plain").status)', qr/not granted/, 'nor a beginning', ['grant=http:localhost', 'grant=http:*.localhost']);
    local $ENV{http_proxy} = "http://127.0.0.1:$other->{port}";
    local $ENV{ALL_PROXY} = "http://127.0.0.1:$other->{port}";
    $other->forget;
    prints('print(das.http.get("URL/plain").status)', "200\n", 'with a proxy in the environment');
    is(scalar(() = $other->requests), 0, 'it is not asked');
};

subtest 'redirects' => sub {
    my $base = "http://127.0.0.1:$web->{port}";
    prints('local r = das.http.get("URL/to/plain") print(r.status, r.url)', "200\t$base/plain\n", 'followed');
    prints('print(das.http.get("URL/to/relative").url)', "$base/plain?x=1\n", 'relative ones too');
    prints('print(das.http.get("URL/hop/4").status)', "200\n", 'five in a row');
    fails('das.http.get("URL/hop/5")', 'data', qr/more than 5 redirects/, 'six');
    prints('print(das.http.get("URL/hop/5", { redirects = 6 }).status)', "200\n", 'six when asked for');
    my $r = fails('das.http.get("URL/to/loop", { redirects = 3 })', 'data', qr/more than 3 redirects/, 'a loop');
    is($r->{requests}, 8, 'each hop counts');
    prints('local r = das.http.get("URL/to/plain", { redirects = 0 }) print(r.status, r.headers.location)', "302\t/plain\n", 'none wanted');
    prints('print(das.http.get("URL/to/nowhere").status)', "302\n", 'one that leads nowhere is an answer');
    fails('das.http.get("URL/to/file")', 'denied', qr/a redirect: url: expected http:\/\/ or https:\/\/, got file:/, 'to a file');
    fails('das.http.get("URL/to/gopher")', 'denied', qr/got gopher:/, 'to another scheme');
    fails('das.http.get("URL/to/metadata")', 'denied', qr/169\.254\.169\.254 is a cloud metadata service/, 'to the metadata service', ['grant=http:127.0.0.1', 'grant=http']);
    fails('das.http.get("URL/to/metadata6")', 'denied', qr/is a cloud metadata service/, 'in IPv6 clothes', ['grant=http:127.0.0.1', 'grant=http']);
    fails('das.http.get("URL/to/metadata")', 'denied', qr/not granted: http:169\.254\.169\.254/, 'to a host without a grant');
    fails('das.http.get("URL/to/localhost")', 'denied', qr/not granted: http:localhost/, 'to another name of this machine');
    fails('das.http.get("URL/to/localhost")', 'denied', qr/is loopback, for which/, 'bare http does not help', ['grant=http:127.0.0.1', 'grant=http']);
    fails('das.http.get("URL/to/garbage")', 'data', qr/Location/, 'to no URL');
    fails('das.http.get("URL/to/login")', 'data', qr/a redirect: url: a user or password/, 'to a URL with a password');

    my %want = (301 => 'GET', 302 => 'GET', 303 => 'GET', 307 => 'POST', 308 => 'POST');
    for my $status (sort keys %want) {
        my ($out) = run($here, "print(das.http.post('URL/to/$status', 'body', { headers = { ['Content-Type'] = 'a/b', ['X-Key'] = 'k' } }).body)")->{out};
        my $got = decode_json($out || '{}');
        is($got->{method}, $want{$status}, "POST and $status: $want{$status}");
        is($got->{body}, $want{$status} eq 'GET' ? '' : 'body', 'its body');
        is($got->{headers}{'content-type'}, $want{$status} eq 'GET' ? undef : 'a/b', 'and type');
        is($got->{headers}{'x-key'}, 'k', 'at the same origin all other headers go along');
    }
    for my $method ('PUT', 'DELETE', 'HEAD') {
        for my $status (302, 303) {
            $web->forget;
            run($here, "das.http.request{ url = 'URL/to/$status', method = '$method' }");
            my @r = $web->requests;
            is($r[1]{method}, $method eq 'HEAD' || $status == 302 ? $method : 'GET', "$method and $status");
        }
    }
    my $out = run($here, <<'LUA')->{out};
print(das.http.get("URL/cross/302", { headers = { Authorization = "Bearer x", Cookie = "c", ["X-Api-Key"] = "k",
  ["X-Anything"] = "a", Accept = "text/plain", ["User-Agent"] = "me" } }).body)
LUA
    my $got = decode_json($out || '{}');
    is_deeply([ sort keys %{ $got->{headers} } ], [qw(accept accept-encoding host user-agent)], 'another port: only harmless headers go along');
    $got = decode_json(run($here, 'print(das.http.post("URL/cross/307", "b", { headers = { Authorization = "x" } }).body)')->{out} || '{}');
    ok($got->{method} eq 'POST' && $got->{body} eq 'b' && !$got->{headers}{authorization}, '307 takes the body, not the password');
};

subtest 'time' => sub {
    my $r = fails('das.http.get("URL/slow", { timeout = "300ms" })', 'timeout', qr/no full answer in time/, 'a slow answer');
    ok($r->{s} < 3, "in time: $r->{s} s");
    $r = fails('das.http.get("URL/trickle", { timeout = 0.5 })', 'timeout', qr/no full answer in time/, 'a trickle');
    $r = fails('das.http.get("http://192.0.0.8:9/", { connect_timeout = "100ms" })', 'denied', qr/reserved/, 'a reserved address', ['grant=http:192.0.0.8']);
    # a full backlog: connect() gets no answer
    my $deaf = WebServer::listener();
    listen $deaf, 0;
    my @fill = map { IO::Socket::INET->new(Proto => 'tcp', Blocking => 0, PeerAddr => '127.0.0.1', PeerPort => $deaf->sockport) } 1 .. 8;
    sleep 0.2;
    my $port = $deaf->sockport;
    $r = fails("das.http.get('http://127.0.0.1:$port/', { connect_timeout = '200ms', timeout = 20 })", 'timeout', qr/no connection in time/, 'nobody accepts');
    ok($r->{s} < 5, "in time: $r->{s} s");
    $r = raises("das.http.get('http://127.0.0.1:$port/', { connect_timeout = 20, timeout = 20 })", qr/limit wall/, "the run's own limit, connecting", [@$here, 'wall=500']);
    ok($r->{s} < 1, "strikes: $r->{s} s");
    undef $deaf;
    for my $path ('/slow', '/trickle') {
        $r = raises("pcall(das.http.get, 'URL$path', { timeout = 30 }) print 'went on'", qr/the run took longer than 0\.5 s \(limit wall\)/, "the run's own limit, $path", [@$here, 'wall=500']);
        ok($r->{s} < 1, "strikes: $r->{s} s");
        is($r->{out}, '', 'and a pcall does not outlive it');
    }
    $r = raises('das.http.get("URL/middle-wait", { retry = 3 }) while true do end', qr/limit/, 'a wait beyond the run is not begun', [@$here, 'wall=1000']);
    ok($r->{s} < 2, "$r->{s} s");
};

subtest 'size' => sub {
    fails('das.http.get("URL/huge")', 'data', qr/the answer is longer than 4194304 bytes/, 'huge');
    prints('print(#das.http.get("URL/huge", { max_bytes = 6000000 }).body)', "6000000\n", 'huge, and wanted');
    fails('das.http.get("URL/plain", { max_bytes = 4 })', 'data', qr/longer than 4 bytes/, 'one too many');
    prints('print(#das.http.get("URL/plain", { max_bytes = 5 }).body)', "5\n", 'just right');
    fails('das.http.get("URL/huge", { max_bytes = "64KB" })', 'data', qr/longer than 65536 bytes/, 'a size as text');
    raises("das.http.get('URL/plain', { max_bytes = $_ })", qr/max_bytes: expected bytes/, "max_bytes = $_") for -1, 1.5, '"much"', '{}', '1 << 40';
    prints('print(#das.http.get("URL/empty", { max_bytes = 0 }).body)', "0\n", 'nothing');
    fails('das.http.get("URL/endless")', 'data', qr/longer than/, 'endless');
    fails('das.http.get("URL/endless-headers")', 'data', qr/headers are longer than|no proper HTTP/, 'endless headers');
    my $r = fails('das.http.get("URL/bomb")', 'data', qr/longer than 4194304 bytes/, 'a gzip bomb');
    ok($r->{bytes} < 20_000_000, 'its bytes are counted unpacked');
    fails('das.http.get("URL/short")', 'connect', qr/the connection was lost/, 'shorter than said');
};

subtest 'limits of the run' => sub {
    $web->forget;
    my $r = raises('for i = 1, 10 do pcall(das.http.get, "URL/plain") end', qr/the run's limit of 3 HTTP requests is used up \(limit http_requests\)/, 'requests', [@$here, 'requests=3']);
    is(scalar(() = $web->requests), 3, 'three were made');
    is($r->{requests}, 3, 'and told');
    $r = raises('das.http.get("URL/to/loop", { redirects = 20 })', qr/limit of 3 HTTP requests/, 'hops count', [@$here, 'requests=3']);
    $r = raises('das.http.get("URL/always/503", { retry = { times = 20, wait = "1ms" } })', qr/limit of 3 HTTP requests/, 'attempts count', [@$here, 'requests=3']);
    $r = raises('das.http.get("URL/endless", { max_bytes = 1 << 29 })', qr/the run's limit of 100000 bytes of HTTP is used up \(limit http_bytes\)/, 'bytes that come in', [@$here, 'bytes=100000']);
    $r = raises('das.http.post("URL/plain", ("x"):rep(100000))', qr/limit of 100000 bytes of HTTP/, 'bytes that go out', [@$here, 'bytes=100000']);
    $r = raises('while true do das.http.get("URL/plain") end', qr/limit of 5000 bytes of HTTP/, 'bytes add up', [@$here, 'bytes=5000']);
    ok($r->{requests} > 3, 'over several requests');
};

subtest 'trying again' => sub {
    my $quick = 'retry = { times = 3, wait = "10ms" }';
    my $ask = sub { my ($path, $opts) = @_; "local r, m, c = das.http.request{ url = 'URL$path', $opts } print(r and r.status, r and r.attempts or c)" };
    $web->forget;
    prints($ask->('/once/503', 'retry = 0'), "503\t1\n", 'not unless asked for');
    $web->forget;
    prints($ask->('/once/503', $quick), "200\t3\n", '503, 503, 200');
    $web->forget;
    prints($ask->('/always/503', $quick), "503\t4\n", 'the last answer is the answer');
    prints($ask->('/500', $quick), "500\t1\n", '500 is final');
    $web->forget;
    prints($ask->('/always/503', "$quick, method = 'POST', body = 'x'"), "503\t1\n", 'a POST is sent once');
    is(scalar(() = $web->requests), 1, 'really');
    prints($ask->('/always/503', "$quick, method = 'PATCH', body = 'x'"), "503\t1\n", 'a PATCH too');
    prints($ask->('/always/503', "$quick, method = 'PUT', body = 'x'"), "503\t4\n", 'a PUT may be repeated');
    prints($ask->('/always/503', "$quick, method = 'POST', body = 'x', idempotent = true"), "503\t4\n", 'and a POST that says so');
    $web->forget;
    my $r = prints($ask->('/once/429', $quick), "200\t2\n", 'too many requests');
    ok($r->{s} >= 1, "Retry-After is obeyed: $r->{s} s");
    $r = prints($ask->('/once/date', $quick), "200\t2\n", 'a date');
    ok($r->{s} >= 0.9 && $r->{s} < 5, "is obeyed: $r->{s} s");
    $r = prints($ask->('/long-wait', $quick), "503\t1\n", 'too long a wait is not waited');
    ok($r->{s} < 1, "$r->{s} s");
    $r = prints($ask->('/middle-wait', 'retry = { times = 1, wait = "10ms", max_wait = "2s" }'), "503\t1\n", 'max_wait decides');
    $web->forget;
    prints($ask->('/once/reset', $quick), "200\t2\n", 'a reset connection');
    $web->forget;
    prints($ask->('/once/reset', "$quick, method = 'POST', body = 'x'"), "nil\tconnect\n", 'not with a POST');
    is(scalar(() = $web->requests), 1, 'which was sent once');
    my $closed = WebServer::listener();
    my $port = $closed->sockport;
    undef $closed;
    $r = run($here, "print(das.http.post('http://127.0.0.1:$port/', 'x', { $quick }))");
    like($r->{out}, qr/no connection/, 'nobody listens');
    is($r->{requests}, 4, 'a POST that never left is tried again');
    $r = fails('das.http.get("http://nosuchname.invalid/")', 'connect', qr/the name has no address/, 'a name that is none', ['grant=http']);
    fails("das.http.get('URL/slow', { timeout = '100ms', $quick })", 'timeout', qr/in time/, 'timeouts, all of them');
};

subtest 'secrets' => sub {
    my ($fh, $file) = tempfile(DIR => $dir);
    print $fh "s3cret-token-value\n";
    close $fh;
    chmod 0600, $file;
    my @with = (@$here, 'grant=secret:hook', "secret=hook:$file");
    prints('print(das.secret("hook"), tostring(das.secret "hook"), #tostring(das.secret "hook"))', "***\t***\t3\n", 'prints as ***', \@with);
    my $got = decode_json(run(\@with, 'print(das.http.get("URL/echo", { headers = { Authorization = das.secret("hook"):with("Bearer "), ["X-Key"] = das.secret "hook", ["X-Basic"] = das.secret("hook"):basic("me") } }).body)')->{out} || '{}');
    is($got->{headers}{authorization}, 'Bearer s3cret-token-value', 'with(): in a header');
    is($got->{headers}{'x-key'}, 's3cret-token-value', 'as it is');
    is($got->{headers}{'x-basic'}, 'Basic bWU6czNjcmV0LXRva2VuLXZhbHVl', 'basic()');
    $got = decode_json(run(\@with, 'print(das.http.post("URL/echo", das.secret "hook").body)')->{out} || '{}');
    is($got->{body}, 's3cret-token-value', 'as a body');
    prints('local r = das.http.get(das.secret("hook"):with("URL/echo?k=")) print(r.status, r.url)', "200\t***\n", 'in a URL, which then does not tell', \@with);
    fails('das.http.get("http://127.0.0.1:1/", { headers = { A = das.secret "hook" } })', 'connect', qr{^http://127\.0\.0\.1:1: no connection \([^*]*\)$}, 'errors do not tell', \@with);
    my $r = run(\@with, 'local r = das.http.get("URL/echo", { headers = { A = das.secret "hook" } }) das.log.warn(r.body, { body = r.body, all = { r.headers, r.body } })');
    ok($r->{err} =~ /\*\*\*/ && $r->{err} !~ /s3cret/, 'nor does the log') or diag($r->{err});
    $r = raises('local r = das.http.get("URL/echo", { headers = { A = das.secret "hook" } }) error(r.body)', qr/\*\*\*/, 'an error with the answer in it', \@with);
    unlike($r->{err}, qr/s3cret/, 'does not tell');
    $got = decode_json(run(\@with, 'print(das.http.get("URL/cross/302", { headers = { Accept = das.secret "hook" } }).body)')->{out} || '{}');
    is($got->{headers}{accept}, '*/*', 'a secret does not go to another origin, whatever header it is in');
    fails('das.http.post("URL/cross/307", das.secret "hook")', 'denied', qr/a redirect would take a secret to/, 'nor as a body', \@with);
    prints('print(das.crypto.hex_encode(das.crypto.hmac("sha256", das.secret "hook", "x")))', `printf x | openssl dgst -sha256 -hmac s3cret-token-value | sed 's/.*= //'`, 'signs', \@with);
    raises('das.secret("hook")', qr/:1: not granted: secret:hook/, 'needs a grant', $here);
    raises('das.secret("hok")', qr/no secret "hok"; did you mean "hook"/, 'a name that is none', [@with, 'grant=secret:hok']);
    raises($_->[0], $_->[1], $_->[0], \@with) for ['return "Bearer " .. das.secret "hook"', qr/secret:with\(/], (map { ["return $_ das.secret 'hook')", qr/string expected/] } 'das.crypto.hex_encode(', 'das.crypto.base64_encode(', 'das.crypto.base64_decode(', 'das.json.decode(' ), ['return #das.secret "hook"', qr/length of a secret/],
        ['return das.secret "hook" < das.secret "hook"', qr/attempt to compare/], ['return das.secret("hook").value', qr/a secret has no field "value"/],
        ['das.json.encode{ das.secret "hook" }', qr/encode: /], ['das.secret("hook"):with("*"):base64_decode()', qr/the secret is not base64/], ['das.secret("hook").x = 1', qr/attempt to index/], ['das.secret("hook"):basic("a:b")', qr/no ":"/], ['for i = 1, 1000 do das.secret("hook"):with(tostring(i)) end', qr/at most 256/];
    chmod 0644, $file;
    $r = raises('das.secret("hook")', qr/secret hook: .*everybody on this machine can read the secret in it; run chmod 600/, 'a file that everybody can read', \@with);
};

subtest 'TLS' => sub {
    my $openssl = sub { system("cd $dir && openssl @_ >/dev/null 2>&1") == 0 or die "openssl @_" };
    $openssl->("req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout $_.key -out $_.pem -subj /CN=$_ -days 2") for 'ca', 'otherca';
    for my $who ([ 'good', 'DNS:localhost,IP:127.0.0.1' ], [ 'wrong', 'DNS:example.com' ]) {
        open my $ext, '>', "$dir/$who->[0].ext" or die;
        print $ext "subjectAltName=$who->[1]\n";
        close $ext;
        $openssl->("req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout $who->[0].key -out $who->[0].csr -subj /CN=$who->[0]");
        $openssl->("x509 -req -in $who->[0].csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile $who->[0].ext -out $who->[0].pem");
    }
    local $web = WebServer->new(handler => sub {
        $_[0]{path} eq '/down' ? [302, { Location => "http://127.0.0.1:$other->{port}/plain" }] : $handler->(@_);
    }, tls => [ "$dir/good.pem", "$dir/good.key" ]);
    my $wrong = WebServer->new(handler => $handler, tls => [ "$dir/wrong.pem", "$dir/wrong.key" ]);
    my $at = [ 'grant=http:localhost', 'grant=http:127.0.0.1' ];
    my $r = fails('das.http.get("https://localhost:PORT/plain", { retry = 3 })', 'connect', qr/certificate is not trusted/, 'an unknown CA', $at);
    is($r->{requests}, 2, 'is not tried again');
    fails("das.http.get('https://localhost:PORT/plain', { ca = '$dir/otherca.pem' })", 'connect', qr/certificate is not trusted/, 'another CA', $at);
    prints("print(das.http.get('https://localhost:PORT/plain', { ca = '$dir/ca.pem' }).body)", "hello\n", 'the right one', $at);
    prints("print(das.http.get('https://127.0.0.1:PORT/plain', { ca = '$dir/ca.pem' }).body)", "hello\n", 'by address', $at);
    fails("das.http.get('https://localhost:$wrong->{port}/plain', { ca = '$dir/ca.pem' })", 'connect', qr/certificate is not trusted/, 'the wrong host', $at);
    $r = run($at, "print(das.http.get('https://localhost:PORT/plain', { ca = '$dir/ca.pem' }).status) print(das.http.get('https://localhost:PORT/plain'))");
    like($r->{out}, qr/^200\nnil\t.*not trusted/, 'trust in one call is not trust in the next');
    raises("das.http.get('https://localhost:PORT/', { ca = '$_' })", qr/ca: .* is not a file of certificates/, "ca = $_", $at) for '/dev/zero', '/nonexistent', $dir;
    fails("das.http.get('https://localhost:PORT/down', { ca = '$dir/ca.pem' })", 'denied', qr/a redirect from https to http:/, 'down to http', $at);
    fails("das.http.get('https://127.0.0.1:$other->{port}/plain')", 'connect', qr/no TLS connection/, 'https at an http port', $at);
    fails("das.http.get('http://127.0.0.1:PORT/plain')", 'connect', qr/lost|reset/, 'http at an https port', $at);
    prints("print(das.http.post('https://localhost:PORT/echo', ('x'):rep(1000000), { ca = '$dir/ca.pem', timeout = 20 }).status)", "200\n", 'a large body', $at);
};

done_testing();
