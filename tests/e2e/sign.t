#!/usr/bin/perl
# sign.t - signatures of thousands of random requests against the implementation in Signature.pm, and
# the other way round.
use strict;
use warnings;
use Test::More;
use File::Temp qw(tempdir);
use POSIX qw(strftime);
use List::Util qw(shuffle);
use lib 'tests/e2e/lib';
use Signature qw(encode sign);

my $driver = ($ENV{BUILD} || 'build') . '/tests/e2e/sign_run';
my $dir = tempdir(CLEANUP => 1);
my $cases = 3000;
my $seed = $ENV{SEED} || 20261124;
srand $seed;

# --- random requests -------------------------------------------------------------------------------

sub pick { return $_[ int rand @_ ] }
sub word { return join '', map { pick('A' .. 'Z', 'a' .. 'z', 0 .. 9) } 1 .. 1 + int rand($_[0] || 20) }

# Text as it may come: words, what has to be encoded, UTF-8, any byte, nothing.
sub text {
    return '' if rand() < 0.1;
    return join '', map {
        my $kind = rand;
        $kind < 0.5 ? word(6) : $kind < 0.7 ? pick(' ', '+', '~', '%', '&', '=', '?', '#', '-', '_', '.', '*', '%20', '%2F')
          : $kind < 0.85 ? pick("\xc3\xa9", "\xe4\xb8\x80", "\xf0\x9f\x98\x80") : chr int rand 256
    } 1 .. 1 + int rand 5;
}

sub value {    # of a header
    my $value = text() =~ s/[\x00-\x08\x0a-\x1f\x7f]/ \t /gr;
    return pick('', ' ', "\t ", '  ') . $value . pick('', '', ' ', " \t");
}

sub request {
    my $r = { v11 => int rand 2, method => pick(qw(GET POST PUT DELETE PATCH)), body => '', query => [] };
    $r->{access} = word();
    $r->{secret} = pick(word(40), text() . 'x', word(1) x 100);
    $r->{region} = pick('cn-north-4', 'test-region-1', word());
    $r->{service} = pick('das', 'demo', word());
    $r->{time} = pick(1136214245, 1764000000, int rand 4e9, -1 - int rand 2e9);
    $r->{date} = strftime '%Y%m%dT%H%M%SZ', gmtime $r->{time};
    $r->{path} = pick('', '/', join '', map { '/' . text() =~ s{/}{}gr =~ s/\A\.+\z//r } 1 .. 1 + int rand 5);
    my @keys = map { text() } 1 .. 3;
    push @{ $r->{query} }, [ pick(@keys, 'limit', 'Limit'), text() ] for 1 .. rand 8;
    my %seen;
    for (1 .. rand 8) {
        my $name = pick('Host', 'content-type', 'X-Project-Id', 'X-SECURITY-TOKEN', 'x_dropped', 'X-' . word(8), word(3) . "!#\$%&'*+.^`|~");
        push @{ $r->{headers} }, [ $name, value() ] unless $seen{ lc $name }++;
    }
    push @{ $r->{headers} }, [ 'X-Sdk-Content-Sha256', 'UNSIGNED-PAYLOAD' ] if rand() < 0.1;
    $r->{body} = pick('', '{}', "{\"user\":\"app\",\"time\":10}\n", join('', map { chr int rand 256 } 1 .. rand 300), 'x' x int rand 5000);
    return $r;
}

# --- the driver -------------------------------------------------------------------------------------

sub hex_of { return length $_[0] ? unpack('H*', $_[0]) : '-' }
sub list_of { return @{ $_[0] } ? join(',', map { unpack('H*', $_->[0]) . ':' . unpack('H*', $_->[1]) } @{ $_[0] }) : '-' }

sub drive {
    my ($mode, @lines) = @_;
    open my $in, '>', "$dir/in" or die;
    print $in "$_\n" for @lines;
    close $in or die;
    my @out = `$driver $mode <$dir/in`;
    BAIL_OUT("sign_run $mode failed") if $?;
    is(scalar @out, scalar @lines, 'an answer a line');
    chomp @out;
    return @out;
}

sub sign_line {
    my ($r) = @_;
    return join ' ', $r->{v11} ? 'V11' : 'SDK', map({ hex_of($_) } @$r{qw(access secret region service)}), $r->{time},
        hex_of($r->{method}), hex_of($r->{path}), list_of($r->{query}), list_of($r->{headers}), hex_of($r->{body});
}

# What a client of another make puts on the wire: parameters in any order, more encoded than has to
# be or in other cases, a blank as "+".
sub loosely {
    my ($text, $query) = @_;
    return join '', map {
        my $c = $_;
        $c eq ' ' && $query && rand() < 0.5 ? '+'
          : $c =~ /[A-Za-z0-9\-_.~]/ && rand() < 0.9 ? $c : sprintf pick('%%%02X', '%%%02x'), ord $c
    } split //, $text;
}

sub verify_line {
    my ($r) = @_;
    my $target = join '/', map { loosely($_, 0) } split m{/}, $r->{path}, -1;
    $target = '/' unless length $target;
    my @query = map { loosely($_->[0], 1) . '=' . loosely($_->[1], 1) } shuffle @{ $r->{query} };
    $target .= '?' . join '&', @query if @query;
    return join ' ', hex_of($r->{secret}), hex_of($r->{method}), hex_of($target), list_of([ shuffle @{ $r->{headers} } ]), hex_of($r->{body});
}

# --- das signs ---------------------------------------------------------------------------------------

my @requests = map { request() } 1 .. $cases;
$_->{headers} ||= [] for @requests;
my @out = drive('sign', map { sign_line($_) } @requests);
my (@wrong, %kinds);
for my $i (0 .. $#requests) {
    my $r = { %{ $requests[$i] } };
    $r->{headers} = [ @{ $r->{headers} }, [ 'X-Sdk-Date', $r->{date} ] ];
    $r->{target} = ($r->{path} =~ s{([^/]+)}{encode($1)}ger) || '/';
    $r->{target} .= '?' . join '&', map { encode($_->[0]) . '=' . encode($_->[1]) } @{ $r->{query} } if @{ $r->{query} };
    my $want = join "\t", $r->{date}, sign($r), $r->{target};
    push @wrong, "$i: got $out[$i]\n   want $want" if $out[$i] ne $want;
    $kinds{ $r->{v11} ? 'V11' : 'SDK' }++;
}
is_deeply(\@wrong, [], "$cases random requests have the same signature and target (SEED=$seed)") or diag(scalar(@wrong), " differ");
cmp_ok($kinds{$_} || 0, '>', $cases / 4, "many of them $_") for qw(SDK V11);

# --- das verifies -----------------------------------------------------------------------------------

for my $r (@requests) {
    push @{ $r->{headers} }, [ pick('X-Sdk-Date', 'x-sdk-date'), $r->{date} ];
    $r->{authorization} = sign($r);
    push @{ $r->{headers} }, [ pick('Authorization', 'authorization'), $r->{authorization} ];
}
@out = drive('verify', map { verify_line($_) } @requests);
@wrong = ();
for my $i (0 .. $#requests) {
    my $r = $requests[$i];
    my ($signature) = $r->{authorization} =~ /Signature=(\w+)/;
    my $want = "good $r->{time} $r->{access} $signature";
    push @wrong, "$i: got $out[$i]\n   want $want" if $out[$i] ne $want;
}
is_deeply(\@wrong, [], "$cases requests that were signed here are good") or diag(scalar(@wrong), " differ");

# --- and refuses --------------------------------------------------------------------------------------

my %change = (
    secret => sub { $_[0]{secret} .= 'y'; 1 },
    method => sub { $_[0]{method} = $_[0]{method} eq 'GET' ? 'PUT' : 'GET'; 1 },
    path => sub { $_[0]{path} .= '/x'; 1 },
    query => sub { push @{ $_[0]{query} }, [ 'more', '' ]; 1 },
    parameter => sub { @{ $_[0]{query} } && ($_[0]{query}[0] = [ $_[0]{query}[0][0], $_[0]{query}[0][1] . 'x' ]) },
    body => sub { $_[0]{body} .= ' '; !grep { $_->[1] eq 'UNSIGNED-PAYLOAD' } @{ $_[0]{headers} } },
    header => sub {
        my ($h) = grep { $_->[0] !~ /_|authorization|sha256|sdk-date/i } @{ $_[0]{headers} };
        $_[0]{headers} = [ map { $h && $_ == $h ? [ $_->[0], "$_->[1]x" ] : $_ } @{ $_[0]{headers} } ];
        $h;
    },
    signature => sub {
        my ($r) = @_;
        my $digit = int rand 64;
        my $other = $r->{authorization};
        substr($other, -64 + $digit, 1) = sprintf '%x', hex(substr $other, -64 + $digit, 1) ^ (1 + int rand 15);
        $r->{headers} = [ map { lc $_->[0] eq 'authorization' ? [ $_->[0], $other ] : $_ } @{ $r->{headers} } ];
    },
);
for my $what (sort keys %change) {
    my @changed;
    for my $i (map { int rand @requests } 1 .. 300) {
        my $r = { %{ $requests[$i] }, query => [ @{ $requests[$i]{query} } ] };
        push @changed, $r if $change{$what}->($r);
    }
    cmp_ok(scalar @changed, '>', 50, "requests with another $what");
    my @good = grep { !/^error auth Signature: / } drive('verify', map { verify_line($_) } @changed);
    is_deeply(\@good, [], "another $what is refused");
}

# --- secrets stay ---------------------------------------------------------------------------------------

my $long = 'ThisIsTheSecretKeyOfSomebody';
my @bad = map { { %{ $requests[0] }, secret => $long, %$_ } } { access => '' }, { access => 'a b' }, { path => 'x' }, { path => '/..' },
    { method => 'get' }, { time => '999999999999999' }, { headers => [ [ 'a', '1' ], [ 'A', '2' ] ] }, { headers => [ [ 'a', "1\n" ] ] };
@out = drive('sign', map { sign_line($_) } @bad);
is(scalar(grep { /^error usage / } @out), scalar @bad, 'what cannot be signed is an error') or diag(join "\n", @out);
unlike("@out", qr/$long/, 'which does not tell the secret');

done_testing();
