# Ask.pm - requests to CloudServer in plain Perl, signed or not: for the tests of the server itself.
package CloudServer::Ask;
use strict;
use warnings;
use HTTP::Tiny;
use IO::Socket::INET;
use JSON::PP;
use POSIX qw(strftime);
use Signature;
use Exporter 'import';
our @EXPORT = qw(stamp of call preview ids killed wire connected answer_of);

my $http = HTTP::Tiny->new(timeout => 60);

sub stamp { return strftime '%Y%m%dT%H%M%SZ', gmtime($_[0] // time) }

# Path and query of an operation on the instance.
sub of { my ($c, $rest) = @_; return '/v3/' . $c->project . '/instances/' . $c->instance . "/$rest" }

# One signed request: {status, data, headers, content}. %opt: body (data), and what is signed otherwise.
sub call {
    my ($c, $method, $target, %opt) = @_;
    my $body = exists $opt{raw} ? $opt{raw} : exists $opt{body} ? encode_json($opt{body}) : '';
    my ($path, $query) = Signature::read_target($target);
    my $date = $opt{date} // stamp();
    my %headers = ('X-Sdk-Date' => $date, 'X-Project-Id' => $c->project, %{ $opt{headers} || {} });
    $headers{'X-Security-Token'} = $opt{session} if defined $opt{session};
    delete $opt{body};
    my %r = (method => $method, path => $path, query => $query, date => $date, access => $c->access, secret => $c->secret,
        region => $c->region, service => 'das', %opt, body => $body, headers => [ [ Host => "127.0.0.1:@{[ $c->port ]}" ], map { [ $_, $headers{$_} ] } keys %headers ]);
    $headers{Authorization} = Signature::sign(\%r) unless $opt{anonymous} || defined $headers{'X-Auth-Token'};
    $headers{'Content-Type'} = 'application/json' if length $body;
    my $answer = ($opt{http} || $http)->request($method, $c->endpoint . $target, { headers => \%headers, length $body || $method eq 'POST' ? (content => $body) : () });
    return { %$answer, data => scalar eval { length $answer->{content} < 5_000_000 && decode_json($answer->{content}) } };
}

# The ids of the sessions in an answer, and a preview by criteria.
sub ids { return join ',', map { $_->{id} } @{ $_[0]{data}{processes} || [] } }
sub preview { my ($c, %criteria) = @_; return call($c, 'POST', of($c, 'auto-flow/preview-session-for-kill-process-task'), body => { time => 0, %criteria }) }
sub killed { return join ' ', map { "$_->{id}:$_->{operation}" } $_[0]->killed }

# Bytes over a connection of their own, and all that comes back until an answer is there or it is closed.
sub wire { my ($c, $text) = @_; my $s = connected($c); syswrite $s, $text; return answer_of($s) }

sub connected {
    my ($c) = @_;
    return IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $c->port, Timeout => 60) || die "connect: $!";
}

sub answer_of {
    my ($s) = @_;
    my $text = '';
    alarm 60;
    while (1) {
        last if $text =~ /\A.*?\r\nContent-Length: (\d+)\r\n(?:.*?\r\n)?\r\n/s && length($text) >= $+[0] + $1;
        sysread $s, $text, 65536, length $text or last;
    }
    alarm 0;
    return $text;
}

1;
