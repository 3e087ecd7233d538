#!/usr/bin/perl
# The server alone, over raw sockets: what it refuses, however it arrives; its bounds; TLS; the end.
use strict;
use warnings;
use lib 'tests/e2e/lib';
use Test::More;
use File::Temp qw(tempdir);
use JSON::PP;
use Socket qw(SOL_SOCKET SO_RCVBUF);
use Time::HiRes qw(sleep);
use HttpdRun;

my $good = "GET /good HTTP/1.1\r\nHost: a\r\n\r\n";
my $last = "GET /last HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
my $smuggled = "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n";

# --- what is refused, and by whom: json is the handler's answer, text the library's (twice: with its header
# twice), none: closed without one -----------------------------------------------------------------------------

my $post = "POST /bad HTTP/1.1\r\nHost: a\r\n";
my @refused = (
    ['two Content-Length, equal', "${post}Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc", 400, 'json'],
    ['two Content-Length, different', "${post}Content-Length: 3\r\nContent-Length: 0\r\n\r\nabc", 400, 'json'],
    ['two Content-Length, far apart', "${post}Content-Length: 0\r\nA: b\r\ncontent-length: 40\r\n\r\n", 400, 'json'],
    ['a list of lengths', "${post}Content-Length: 3, 3\r\n\r\nabc", 400, 'twice'],
    ['a length with a sign', "${post}Content-Length: +3\r\n\r\nabc", 400, 'twice'],
    ['no length', "${post}Content-Length:\r\n\r\nabc", 400, 'twice'],
    ['a length of 30 digits', "${post}Content-Length: 333333333333333333333333333333\r\n\r\nabc", 413, 'twice'],
    ['a length of 19 digits', "${post}Content-Length: 1000000000000000000\r\n\r\nabc", 400, 'json'],
    ['length and chunks', "${post}Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400, 'json'],
    ['chunks and length', "${post}Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n", 400, 'json'],
    ['gzip, chunked', "${post}Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 501, 'json'],
    ['chunked, identity', "${post}Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n", 501, 'json'],
    [' chunked x', "${post}Transfer-Encoding:  chunked x\r\n\r\n0\r\n\r\n", 501, 'json'],
    ['Chunked', "${post}Transfer-Encoding: Chunked\r\n\r\n0\r\n\r\n", 501, 'json'],
    ['chunked and a blank', "${post}Transfer-Encoding: chunked \r\n\r\n0\r\n\r\n", 501, 'json'],
    ['identity', "${post}Transfer-Encoding: identity\r\n\r\n", 501, 'json'],
    ['no coding', "${post}Transfer-Encoding:\r\n\r\n", 501, 'json'],
    ['two codings', "${post}Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n", 400, 'json'],
    ['chunks in HTTP/1.0', "POST /bad HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400, 'json'],
    ['an empty name', "${post}: x\r\n\r\n", 400, 'json'],
    ['a name with a blank behind it', "${post}Content-Length : 3\r\n\r\nabc", 400, 'json'],
    ['a name with a tab behind it', "${post}Transfer-Encoding\t: chunked\r\n\r\n0\r\n\r\n", 400, 'json'],
    ['a name with a blank in it', "${post}A B: c\r\n\r\n", 400, 'json'],
    ['a name with brackets', "${post}A(B): c\r\n\r\n", 400, 'json'],
    ['a name with a control character', "${post}A\x01: c\r\n\r\n", 400, 'json'],
    ['a name beyond ASCII', "${post}\xe4: c\r\n\r\n", 400, 'json'],
    ['no colon', "${post}A\r\n\r\n", 400, 'text'],
    ['a fold of the request line', "GET /bad HTTP/1.1\r\n Host: a\r\nHost: a\r\n\r\n", 400, 'json'],
    ['a fold of the first header', "GET /bad HTTP/1.1\r\nHost: a\r\n b\r\nA: b\r\n\r\n", 400, 'json'],
    ['a fold in the middle', "${post}A: b\r\n c\r\nD: e\r\n\r\n", 400, 'json'],
    ['a fold of the last header', "${post}A: b\r\nC: d\r\n\te\r\n\r\n", 400, 'json'],
    ['an empty fold', "${post}A: b\r\n \r\nC: d\r\n\r\n", 400, 'json'],
    ['an empty fold at the end', "${post}A: b\r\n\t\r\n\r\n", 400, 'json'],
    ['two folds', "${post}A: b\r\n c\r\n d\r\nE: f\r\n\r\n", 400, 'json'],
    ['a length in a fold', "${post}A: b\r\n Content-Length: 3\r\n\r\nabc", 400, 'json'],
    ['a folded length', "${post}Content-Length:\r\n 3\r\n\r\nabc", 400, 'json'],
    ['a folded coding', "${post}Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n", 400, 'json'],
    ['LF behind the request line', "GET /bad HTTP/1.1\nHost: a\r\n\r\n", 400, 'json'],
    ['LF behind a header', "GET /bad HTTP/1.1\r\nHost: a\nA: b\r\n\r\n", 400, 'json'],
    ['LF for the empty line', "GET /bad HTTP/1.1\r\nHost: a\r\n\n", 400, 'json'],
    ['LF everywhere', "GET /bad HTTP/1.1\nHost: a\n\n", 400, 'json'],
    ['LFs and an empty fold that make up for each other', "${post}A: b\nC: d\n \n\r\n", 400, 'json'],
    ['the same at the end', "GET /bad HTTP/1.1\r\nHost: a\n \n\n", 400, 'json'],
    ['CR in a value', "${post}A: b\rC: d\r\n\r\n", 400, 'json'],
    ['CR CR LF', "${post}A: b\r\r\n\r\n", 400, 'json'],
    ['NUL in a value', "${post}A: b\0c\r\n\r\n", 400, 'json'],
    ['NUL at its end', "${post}A: b\0\r\n\r\n", 400, 'json'],
    ['NUL in a name', "${post}A\0b: c\r\n\r\n", 400, 'text'],
    ['NUL in the target', "GET /bad\0x HTTP/1.1\r\nHost: a\r\n\r\n", 400, 'json'],
    ['NUL in the method', "G\0T /bad HTTP/1.1\r\nHost: a\r\n\r\n", 400, 'json'],
    ['NUL in the version', "GET /bad HTTP/1.1\0\r\nHost: a\r\n\r\n", 400, 'text'],
    ['a control character in a value', "${post}A: b\x02\r\n\r\n", 400, 'json'],
    ['no Host', "GET /bad HTTP/1.1\r\nA: b\r\n\r\n", 400, 'json'],
    ['no header at all', "GET /bad HTTP/1.1\r\n\r\n", 400, 'json'],
    ['no Host in HTTP/1.0', "GET /bad HTTP/1.0\r\n\r\n", 400, 'json'],
    ['two Hosts', "${post}Host: a\r\n\r\n", 400, 'json'],
    ['an empty Host', "GET /bad HTTP/1.1\r\nHost: \r\n\r\n", 400, 'json'],
    ['a Host with a path', "GET /bad HTTP/1.1\r\nHost: a/b\r\n\r\n", 400, 'json'],
    ['an absolute target', "GET http://a/bad HTTP/1.1\r\nHost: a\r\n\r\n", 400, 'json'],
    ['an authority for a target', "CONNECT a:80 HTTP/1.1\r\nHost: a\r\n\r\n", 400, 'json'],
    ['GET *', "GET * HTTP/1.1\r\nHost: a\r\n\r\n", 400, 'json'],
    ['a blank in the target', "GET /b d HTTP/1.1\r\nHost: a\r\n\r\n", 400, 'json'],
    ['bytes beyond ASCII in the target', "GET /b\xc3\xa4d HTTP/1.1\r\nHost: a\r\n\r\n", 400, 'json'],
    ['two blanks before the target', "GET  /bad HTTP/1.1\r\nHost: a\r\n\r\n", 400, 'json'],
    ['two blanks behind the target', "GET /bad  HTTP/1.1\r\nHost: a\r\n\r\n", 400, 'json'],
    ['a blank behind the version', "GET /bad HTTP/1.1 \r\nHost: a\r\n\r\n", 400, 'text'],
    ['a blank before the method', " GET /bad HTTP/1.1\r\nHost: a\r\n\r\n", undef, 'none'],
    ['a method that is no token', "G{T /bad HTTP/1.1\r\nHost: a\r\n\r\n", 400, 'json'],
    ['a method alone', "GET\r\n\r\n", undef, 'none'],
    ['HTTP/0.9', "GET /bad\r\n\r\n", 400, 'text'],
    ['HTTP/0.9, said', "GET /bad HTTP/0.9\r\nHost: a\r\n\r\n", 505, 'text'],
    ['HTTP/1.2', "GET /bad HTTP/1.2\r\nHost: a\r\n\r\n", 505, 'json'],
    ['the preface of HTTP/2', "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505, 'text'],
    ['http/1.1', "GET /bad http/1.1\r\nHost: a\r\n\r\n", 400, 'text'],
    ['TLS', "\x16\x03\x01\x00\x05hello\r\n\r\n", undef, 'none'],
    ['an unknown Expect', "${post}Expect: 200-ok\r\nContent-Length: 3\r\n\r\nabc", 417, 'json'],
);

my $s = HttpdRun->new('127.0.0.1:0');

sub refused {
    my ($name, $a, $status, $by) = @_;
    return is $a, undef, "$name: closed" if !defined $status && $by eq 'none';
    my $good = is $a && $a->{status}, $status, "$name: $status";
    return $good if $by eq 'twice';
    my $json = eval { decode_json($a->{body} // '') };
    $good &&= is $a->{headers}{connection}, 'close', "$name: and closed";
    $good &&= ok $by eq 'json' ? $json && $json->{refused} && $a->{headers}{'x-request-id'} : !$json, "$name: answered by $by";
    return $good;
}

for my $r (@refused) {
    my ($name, $bytes, $status, $by) = @$r;
    subtest $name => sub {
        for (['at once', ''], ['byte by byte', '', slow => 1], ['behind a good one', $good], ['behind a good one, byte by byte', $good, slow => 1]) {
            my ($how, $before, @opt) = @$_;
            my @a = HttpdRun::answers($s->ask($before . $bytes . $smuggled, @opt));
            if ($before) {
                my $first = shift @a;
                is $first && $first->{status}, 200, "$how: the good one is answered";
            }
            refused($how, $a[0], $status, $by);
            is @a, defined $status ? 1 : 0, "$how: and nothing behind it" if $by ne 'twice';
        }
    };
}
unlike $s->log, qr/served \/(?!good)/, 'no handler saw any of them as a request';

# --- what passes ------------------------------------------------------------------------------------------------

sub one { my ($bytes, @opt) = @_; my @a = HttpdRun::answers($s->ask($bytes, @opt)); return @a == 1 ? $a[0] : { status => scalar @a, body => '{}' } }

my @passes = (
    ['the least', "GET /a HTTP/1.1\r\nHost: a\r\n"],
    ['empty lines before it', "\r\n\r\n\r\nGET /a HTTP/1.1\r\nHost: a\r\n"],
    ['escapes in the target', "GET /%20%2f%00?x=%0d%0a+y HTTP/1.1\r\nHost: a\r\n"],
    ['OPTIONS *', "OPTIONS * HTTP/1.1\r\nHost: a\r\n"],
    ['a method of its own', "PURGE /a HTTP/1.1\r\nHost: a\r\n"],
    ['HTTP/1.0', "GET /a HTTP/1.0\r\nHost: a\r\n"],
    ['a length', "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n", "a\0c", "a\0c"],
    ['chunks', "POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n", "1\r\na\r\n2;x=y\r\nbc\r\n0\r\nTrailer: x\r\n\r\n", 'abc'],
    ['a body of a GET', "GET /a HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n", '{}', '{}'],
    ['values of all kinds', "GET /a HTTP/1.1\r\nHost: [::1]:70\r\nA:\r\nB: \r\nC:\t\td  e\t \r\nF:\xe4\r\na: again\r\nCookie: x=y; z\r\n"],
);
for my $p (@passes) {
    my ($name, $head, $body, $seen) = @$p;
    my ($target) = $head =~ / (\S+) /;
    my @lines = $head =~ /^([^:\r\n]+):[ \t]*(.*?)[ \t]*\r\n/mg;
    for my $slow (0, 1) {
        my $a = one("${head}Connection: close\r\n\r\n" . ($body // ''), slow => $slow);
        is $a->{status}, 200, "$name passes" . ($slow ? ', byte by byte' : '') or next;
        my $saw = decode_json($a->{body});
        is $saw->{target}, $target, '... with its target as it came';
        is $saw->{body}, $seen // '', '... its body';
        is_deeply [ map { @$_{qw(name value)} } @{ $saw->{headers} } ], [ @lines, 'Connection', 'close' ], '... and its headers in their order';
    }
}
my $a = one($last);
my $saw = decode_json($a->{body});
is "$saw->{peer} $saw->{tls} $saw->{started}", '127.0.0.1 0 1', 'who it came from, how and when';
is $a->{headers}{$_->[0]}, $_->[1], "$_->[0]: $_->[1]" for ['content-type', 'application/json'], ['cache-control', 'no-store'], ['connection', 'close'];
like $a->{headers}{'x-request-id'}, qr/^id-\d+$/, 'X-Request-Id';
is one("GET /busy HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")->{headers}{'retry-after'}, 7, 'Retry-After';
is one("OPTIONS /a HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")->{headers}{allow}, 'GET, HEAD, OPTIONS', 'Allow';
is one("GET /close HTTP/1.1\r\nHost: a\r\n\r\n")->{status}, 200, 'the handler may close the connection';
{
    my $raw = $s->ask("GET /big?1000 HTTP/1.1\r\nHost: a\r\n\r\nHEAD /big?1000 HTTP/1.1\r\nHost: a\r\n\r\n$last");
    my @a = HttpdRun::answers($raw, 'GET', 'HEAD', 'GET');
    is join(' ', map { $_->{status} } @a), '200 200 200', 'HEAD between others';
    is $a[1]{headers}{'content-length'}, 1000, '... has the length and not the body';
    is $a[1]{headers}{'content-type'}, 'text/plain', '... and the type';
}

# --- connections that stay -----------------------------------------------------------------------------------------

{
    my $before = $s->load;
    my $c = $s->connect;
    my $all = 0;
    for my $n (1 .. 1000) {
        my ($a) = HttpdRun::answers(HttpdRun::exchange($c, "POST /n$n HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\n1234"));
        $all++ if $a->{status} == 200 && $a->{body} =~ /"target":"\/n$n","body":"1234"/;
    }
    is $all, 1000, 'a thousand requests on one connection';
    HttpdRun::put($c, join '', (map {"POST /p$_ HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx"} 1 .. 500), $last);
    my @a = HttpdRun::answers(HttpdRun::get($c));
    is join(' ', map { $_->{status} == 200 && $_->{body} =~ /"target":"\/(p\d+|last)","body":"(?:x|)"/ ? $1 : $_->{status} } @a), join(' ', (map {"p$_"} 1 .. 500), 'last'),
        'and 500 more without waiting, in their order';
    is $s->load->{accepted}, $before->{accepted} + 1, 'all on one';
}
{
    my @a = HttpdRun::answers($s->ask("POST /c HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n$smuggled"));
    is scalar @a, 1, 'after chunks the connection is closed, whatever stands behind them';
    is $a[0]{headers}{connection}, 'close', '... and the answer says so';
    @a = HttpdRun::answers($s->ask("POST /c HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\nx\r\n0\r\n\r\n$smuggled"));
    is join(' ', map { $_->{status} } @a), 400, 'chunks that are none';
}

# --- 100-continue ------------------------------------------------------------------------------------------------------

{
    my $c = $s->connect;
    HttpdRun::put($c, "POST /e HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n");
    is HttpdRun::get($c, sub { $_[0] =~ /\r\n\r\n/ }), "HTTP/1.1 100 Continue\r\n\r\n", 'it may continue';
    my ($a) = HttpdRun::answers(HttpdRun::exchange($c, 'hello'));
    like $a->{body}, qr/"body":"hello"/, '... and is answered';
    HttpdRun::put($c, "POST /e HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 65537\r\n\r\n");
    my @a = HttpdRun::answers(HttpdRun::get($c));
    is join(' ', map { $_->{status} } @a), 413, 'a body that is too large is not asked for';
    @a = HttpdRun::answers($s->ask("POST /e HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n"));
    is join(' ', map { $_->{status} } @a), 400, 'nor one of a request that is refused';
}

# --- bounds -----------------------------------------------------------------------------------------------------------

sub of_size {
    my ($size) = @_;
    my $bytes = "GET /size HTTP/1.1\r\nHost: a\r\nConnection: close\r\n";
    my $n = 0;
    $bytes .= sprintf "X-%03d: %s\r\n", $n++, 'y' x 91 while length($bytes) + 220 < $size;
    return $bytes . 'Z: ' . ('z' x ($size - length($bytes) - 7)) . "\r\n\r\n";
}
is length of_size(16384), 16384, 'as large as may be';
is one(of_size(16384))->{status}, 200, '... passes';
is one(of_size(16384), slow => 1)->{status}, 200, '... byte by byte';
for (['one more', 16385], ['much more', 19000]) {
    my $a = one(of_size($_->[1]));
    is $a->{status}, 431, "$_->[0] is refused";
    ok eval { decode_json($a->{body}) }, '... by the handler';
}
is one(of_size(1_000_000))->{status}, 431, 'a header that fills all memory';
is one('GET /' . ('x' x 100_000) . " HTTP/1.1\r\nHost: a\r\n\r\n")->{status}, 414, 'a target that does';
is one("GET / HTTP/1.1\r\nHost: a\r\n" . ("a:\r\n" x 10_000) . "\r\n")->{status}, 431, 'ten thousand small headers';
for (0 .. 80) {
    # the library's memory for reading is 20,480 bytes at first
    my $before = "\r\n" x (10_170 + 2 * $_);
    my $text = "GET /edge HTTP/1.1\r\nHost: a\r\nA: b\r\n%sC: d\r\nConnection: close\r\n\r\n";
    my $a = one($before . sprintf $text, '');
    my $b = one($before . sprintf $text, " folded\r\n");
    next if $a->{status} == 200 && $b->{status} == 400;
    fail 'at the edge of the memory ' . length($before) . ": $a->{status}, $b->{status}";
}
pass 'at the edge of the memory for reading: the good passes, the folded does not';

sub body { my ($n) = @_; return "POST /b HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: $n\r\n\r\n" . ('x' x $n) }
is length(decode_json(one(body(65536))->{body})->{body}), 65536, 'a body as large as may be';
is one(body(65537))->{status}, 413, 'one byte more';
{
    my $c = $s->connect;
    ok HttpdRun::put($c, body(5_000_000)), 'a client that sends all of a large body before it reads is let';
    my ($a) = HttpdRun::answers(HttpdRun::get($c));
    is $a->{status}, 413, '... and told';
}
sub chunks {
    my ($n, $size) = @_;
    my $all = "POST /b HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    for (my $left = $n; $left > 0; $left -= $size) {
        my $now = $left < $size ? $left : $size;
        $all .= sprintf "%x\r\n%s\r\n", $now, 'x' x $now;
    }
    return "${all}0\r\n\r\n";
}
is length(decode_json(one(chunks(65536, 1000))->{body})->{body}), 65536, 'the same in chunks';
for (['one byte more', 65537, 1000], ['in one chunk', 65537, 65537], ['much more', 3_000_000, 5000]) {
    my $a = one(chunks(@$_[1, 2]));
    is $a->{status}, 413, "in chunks, $_->[0]";
    ok eval { decode_json($a->{body}) }, '... by the handler';
}
is one(chunks(70_000, 1) =~ s/1\r\nx\r\n0\r\n\r\n\z//r . "0\r\n\r\n")->{status}, 413, 'in chunks of a byte';
is $s->load->{cut}, 0, 'nobody was cut so far';
my $calm = $s->until_load(sub { $_[0]{connections} == 0 });
ok $calm, 'and nobody is left';
my $files = $s->order('files');
$s->ask($last) for 1 .. 100;
$s->until_load(sub { $_[0]{connections} == 0 });
is $s->order('files'), $files, 'no descriptor is left behind';
is $s->stop, "stopped\n", 'it stops';

# --- how many ------------------------------------------------------------------------------------------------------------

{
    my $s = HttpdRun->new('127.0.0.1:0', '127.0.0.1:0', 'connections=8', 'address=4');
    my %open;
    my $open = sub {
        my ($from, $n) = @_;
        push @{ $open{$from} }, map { $s->connect(from => $from) } 1 .. $n;
        return $s->until_load(sub { $_[0]{connections} + $_[0]{refused} >= map {@$_} values %open });
    };
    my $load = $open->('127.0.0.1', 4);
    is "$load->{connections} $load->{refused}", '4 0', 'four from one address';
    is HttpdRun::get($s->connect), '', 'the fifth is closed';
    is $s->load->{refused}, 1, '... and counted';
    local $s->{at} = [ $s->address(1) ];
    is HttpdRun::get($s->connect), '', 'the other address of the server does not help';
    my $c = $s->connect(from => '127.0.0.2');
    HttpdRun::put($c, $last);
    is +(HttpdRun::answers(HttpdRun::get($c)))[0]{status}, 200, 'another client is served';
    $s->until_load(sub { $_[0]{connections} == 4 });
    push @{ $open{'127.0.0.3'} }, map { $s->connect(from => '127.0.0.3') } 1 .. 4;
    ok $s->until_load(sub { $_[0]{connections} == 8 }), 'eight in all';
    $c = $s->connect(from => '127.0.0.4');
    HttpdRun::put($c, $last);
    is +(HttpdRun::answers(HttpdRun::get($c)))[0]{status}, 200, 'the ninth is served, wherever it comes from';
    is HttpdRun::get($open{'127.0.0.1'}[0]), '', '... in the place of the one that has waited longest';
    is $s->load->{cut}, 1, '... which is counted';
    ok $s->until_load(sub { $_[0]{connections} == 7 }), '... and the others stay';
}
{
    # all of them stay open at this end; a deadline that is not reached
    my $s = HttpdRun->new('127.0.0.1:0', 'connections=64', 'address=32');
    my (@silent, $served);
    for (1 .. 600) {
        push @silent, $s->connect;
        next if $_ % 50;
        my $c = $s->connect(from => '127.0.0.2');
        HttpdRun::put($c, $last);
        $served += ((HttpdRun::answers(HttpdRun::get($c)))[0]{status} // 0) == 200;
    }
    is $served, 12, '600 that say nothing, and a client from elsewhere is served all the time';
    my $load = $s->until_load(sub { $_[0]{refused} == 568 });
    ok $load && $load->{connections} <= 33, 'only as many as may be were let in';
    cmp_ok $s->order('threads'), '<', 64, '... and cost a thread each';
}

# --- until when ------------------------------------------------------------------------------------------------------------

{
    my $s = HttpdRun->new('127.0.0.1:0', 'deadline=500');
    my $cut = 0;
    my $slow = sub {
        my ($name, $bytes, $first) = @_;
        my $c = $s->connect;
        HttpdRun::put($c, $first) if defined $first;
        # ten times as long as there is; ends when the connection does
        for (split //, $bytes) {
            last if !HttpdRun::put($c, $_);
            vec(my $ready = '', fileno $c, 1) = 1;
            last if select $ready, undef, undef, 0.025;
        }
        my $got = HttpdRun::get($c);
        is $got, '', "$name is cut";
        ok $s->until_load(sub { $_[0]{cut} == $cut + 1 }), '... by its deadline';
        $cut++;
    };
    my $x = 'x' x 200;
    $slow->('who says nothing', '');
    $slow->('a slow request line', "GET /$x");
    $slow->('a slow header', "A: $x", "GET /slow HTTP/1.1\r\nHost: a\r\n");
    $slow->('who sends empty lines', "\r\n" x 100);
    $slow->('a slow body', $x, "POST /slow HTTP/1.1\r\nHost: a\r\nContent-Length: 200\r\n\r\n");
    $slow->('slow chunks', "1\r\nx\r\n" x 34, "POST /slow HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
    unlike $s->log, qr/\/slow/, 'no handler saw them';

    my $c = $s->connect;
    my ($a) = HttpdRun::answers(HttpdRun::exchange($c, $good));
    is $a->{status}, 200, 'a good request';
    is HttpdRun::get($c), '', '... and silence is cut';
    $cut++;

    $c = $s->connect;
    setsockopt $c, SOL_SOCKET, SO_RCVBUF, 4096;
    HttpdRun::put($c, "GET /big?30000000 HTTP/1.1\r\nHost: a\r\n\r\n");
    ok $s->until_load(sub { $_[0]{cut} == $cut + 1 }), 'who does not take the answer is cut';
    $cut++;
    cmp_ok length HttpdRun::get($c), '<', 30_000_000, '... and does not get it';
    like $s->log, qr/served \/big\?30000000/, '... that the handler had made';

    # a handler that takes its time has no deadline: two others come and are cut while it works
    $c = $s->connect;
    HttpdRun::put($c, "GET /wait HTTP/1.1\r\nHost: a\r\n\r\n");
    ok $s->wait_log(qr/waiting/), 'a handler is at work';
    is HttpdRun::get($s->connect), '', '... for longer than the deadline' for 1 .. 2;
    is $s->load->{busy}, 1, '... and still is';
    $s->order('open');
    ($a) = HttpdRun::answers(HttpdRun::get($c, sub { $_[0] =~ /\]\}$/ }));
    is $a->{status}, 200, '... and its answer is taken';
    ($a) = HttpdRun::answers(HttpdRun::exchange($c, $good));
    is $a->{status}, 200, '... and the connection goes on';
    like $s->ask($last), qr/^HTTP\/1.1 200/, 'others are served as ever';
    ok $s->until_load(sub { $_[0]{connections} == 0 }), 'nobody is left';
}

# --- the end ---------------------------------------------------------------------------------------------------------------

{
    my $s = HttpdRun->new('127.0.0.1:0');
    my ($busy, $idle, $fresh, $reading) = map { $s->connect } 1 .. 4;
    HttpdRun::put($busy, "GET /wait HTTP/1.1\r\nHost: a\r\n\r\n");
    HttpdRun::exchange($idle, $good);
    $s->wait_log(qr/waiting/);
    HttpdRun::put($reading, "POST /reading HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n");
    HttpdRun::get($reading, sub { $_[0] =~ /100 Continue/ });
    ok $s->until_load(sub { $_[0]{connections} == 4 }), 'four connections';
    is $s->order('drain 1'), 'left=2', 'two of them have a request in flight';
    is HttpdRun::get($_), '', 'an idle one is closed' for $idle, $fresh;
    my $late = $s->connect;
    ok !$late || HttpdRun::get($late) eq '', 'nobody comes in any more';
    HttpdRun::put($reading, 'hello');
    my ($a) = HttpdRun::answers(HttpdRun::get($reading));
    is "$a->{status} $a->{headers}{connection}", '200 close', 'what was being sent is still answered, and the connection closed';
    is $s->order('drain 1'), 'left=1', 'one is left';
    $s->order('open');
    is $s->order('drain 60000'), 'left=0', 'none';
    ($a) = HttpdRun::answers(HttpdRun::get($busy));
    is "$a->{status} $a->{headers}{connection}", '200 close', 'and it was answered';
    is $s->stop, "stopped\n", 'it stops';
}
{
    # its answer was made before the draining began, and does not say that the connection will be closed
    my $s = HttpdRun->new('127.0.0.1:0');
    my $c = $s->connect;
    HttpdRun::put($c, "GET /big?16000000 HTTP/1.1\r\nHost: a\r\n\r\n");
    ok $s->wait_log(qr/served/), 'a large answer';
    is $s->order('drain 1'), 'left=1', '... is in flight';
    my ($a) = HttpdRun::answers(HttpdRun::get($c));
    is length $a->{body}, 16_000_000, '... is finished';
    is $s->order('drain 60000'), 'left=0', '... and nothing left';
    is $s->load->{cut}, 0, '... and the connection is closed by the draining, not by its deadline';
}
{
    my $s = HttpdRun->new('127.0.0.1:0');
    my $c = $s->connect;
    HttpdRun::put($c, "GET /wait HTTP/1.1\r\nHost: a\r\n\r\n");
    my $idle = $s->connect;
    $s->wait_log(qr/waiting/);
    is $s->stop, "stopped\n", 'it stops without draining, when its handlers have returned';
    HttpdRun::get($_) for $c, $idle;
    pass 'and all connections are closed';
}

# --- starting ---------------------------------------------------------------------------------------------------------------

for (['localhost:1', qr/^config: listen: "localhost:1" is not ADDRESS:PORT/], ['127.0.0.1', qr/^config: listen/], ['127.0.0.1:70000', qr/^config: listen/],
    ['::1:80', qr/^config: listen/], ['[127.0.0.1]:80', qr/^config: listen/], ['192.0.2.1:0', qr/^io: cannot listen at 192\.0\.2\.1:0/]) {
    my $s = HttpdRun->new($_->[0]);
    is $s->{exit}, 1, "$_->[0]: it does not start";
    like $s->log, $_->[1], '... and says why';
}
{
    my $first = HttpdRun->new('127.0.0.1:0');
    my $second = HttpdRun->new($first->address);
    like $second->log, qr/^io: cannot listen at .*: Address already in use/, 'an address that is taken';
    my $six = HttpdRun->new('[::1]:0', '[::]:0', '0.0.0.0:0');
    SKIP: {
        skip 'no IPv6 here', 2 if $six->{exit};
        like $six->address, qr/^\[::1\]:\d+$/, 'IPv6';
        require IO::Socket::IP;
        my $c = IO::Socket::IP->new(PeerHost => '::1', PeerPort => $six->port) or die "$@\n";
        HttpdRun::put($c, $last);
        like HttpdRun::get($c), qr/"peer":"::1"/, '... is served';
    }
}

# --- TLS --------------------------------------------------------------------------------------------------------------------

require IO::Socket::SSL;
my $dir = tempdir(CLEANUP => 1);
sub certify {
    my ($name) = @_;
    system("openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout $dir/$name.key -out $dir/$name.pem -subj /CN=$name -addext subjectAltName=IP:127.0.0.1 -days 2 >/dev/null 2>&1") == 0 or die "openssl\n";
    chmod 0600, "$dir/$name.key";
}
sub use_pair { my ($c, $k) = @_; system("cp $dir/$c.pem $dir/now.pem && cp -p $dir/" . ($k // $c) . ".key $dir/now.key") == 0 or die "cp\n" }
certify($_) for qw(one two);
use_pair('one');
my @tls = ("certificate=$dir/now.pem", "key=$dir/now.key");
sub secure {
    my ($s, $name, %opt) = @_;
    return IO::Socket::SSL->new(PeerAddr => '127.0.0.1', PeerPort => $s->port, SSL_ca_file => "$dir/$name.pem", SSL_verify_mode => 1, Timeout => 60, %opt);
}
{
    my $s = HttpdRun->new('127.0.0.1:0', '127.0.0.1:0', @tls);
    my $c = secure($s, 'one') or die "TLS: $IO::Socket::SSL::SSL_ERROR\n";
    my ($a) = HttpdRun::answers(HttpdRun::exchange($c, $good));
    like $a->{body}, qr/"tls":true/, 'over TLS';
    for my $r (grep { $_->[0] =~ /^(two Content-Length, equal|length and chunks|a fold in the middle|no Host|HTTP\/1.2)$/ } @refused) {
        my $c = secure($s, 'one');
        HttpdRun::put($c, $r->[1] . $smuggled);
        refused("over TLS: $r->[0]", (HttpdRun::answers(HttpdRun::get($c, sub { $_[0] =~ /\}/ })))[0], @$r[2, 3]);
    }
    {
        my $c = secure($s, 'one');
        HttpdRun::put($c, body(2_000_000));
        is +(HttpdRun::answers(HttpdRun::get($c, sub { $_[0] =~ /\}/ })))[0]{status}, 413, 'over TLS: a body that is too large';
    }
    for (['TLSv1_2', 1], ['TLSv1_3', 1], ['TLSv1_1', 0], ['TLSv1', 0]) {
        my $c = secure($s, 'one', SSL_version => $_->[0], SSL_cipher_list => 'ALL:@SECLEVEL=0');
        is !!$c, !!$_->[1], "$_->[0]: " . ($_->[1] ? 'yes' : 'no');
        like $IO::Socket::SSL::SSL_ERROR, qr/alert|unexpected eof/, '... says the server' if !$_->[1];
    }
    like $s->ask($good), qr/^(?!HTTP)/, 'plain HTTP is not answered';

    use_pair('two');
    is $s->order('reload'), 'reloaded', 'a new certificate';
    my $new = secure($s, 'two');
    ok $new, '... is what new connections see';
    ok !secure($s, 'one'), '... and not the old one';
    for ([$c, 'the old connection goes on'], [$new, 'the new one as well']) {
        my ($a) = HttpdRun::answers(HttpdRun::exchange($_->[0], $good));
        is $a->{status}, 200, $_->[1];
    }
    my $files = $s->order('files');
    is $s->order('reload'), 'reloaded', 'again';
    ok secure($s, 'two'), '... and again';
    use_pair('one', 'two');
    like $s->order('reload'), qr/now\.pem with .*now\.key: /, 'a key of another certificate';
    chmod 0644, "$dir/now.key";
    like $s->order('reload'), qr/everybody on this machine can read the key in it/, 'a key that everybody can read';
    unlink "$dir/now.key";
    like $s->order('reload'), qr/now\.key: cannot open/, 'no key';
    my $still = secure($s, 'two');
    ($a) = HttpdRun::answers(HttpdRun::exchange($still, $good));
    is $a->{status}, 200, 'all stays as it was';
    ($a) = HttpdRun::answers(HttpdRun::exchange($c, $good));
    is $a->{status}, 200, '... for the oldest connection, too';
    $_->close for $c, $new, $still;
    $s->until_load(sub { $_[0]{connections} == 0 });
    for (1 .. 500) { last if $s->order('files') <= $files - 2; sleep 0.02 }
    cmp_ok $s->order('files'), '<=', $files - 2, 'what the old ones needed is given back';
    is $s->order('drain 1000'), 'left=0', 'it drains';
    is $s->stop, "stopped\n", '... and stops';
}
{
    use_pair('one');
    my $s = HttpdRun->new('127.0.0.1:0', @tls, 'deadline=500');
    is HttpdRun::get($s->connect), '', 'who begins no handshake is cut';
    my $c = $s->connect;
    HttpdRun::put($c, "\x16\x03\x01\x02\x00\x01\x00");
    is HttpdRun::get($c), '', 'who does not end it, too';
    ok $s->until_load(sub { $_[0]{cut} == 2 }), '... by the deadline';
    use_pair('one', 'two');
    my $bad = HttpdRun->new('127.0.0.1:0', @tls);
    like $bad->log, qr/^config: .*now\.pem with /, 'it does not start with a key of another certificate';
    $bad = HttpdRun->new('127.0.0.1:0', $tls[0]);
    like $bad->log, qr/^config: /, 'nor without a key';
}
done_testing();
