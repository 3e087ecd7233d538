# Loop.pm - HTTP/1.1 for many connections at once in one process: reads requests, asks its handler for
# an answer, and delivers that as it is told, also badly. Plain or TLS.
#
# The handler gets {method, target, headers => [[name, value], ...], h => {lower => value}, twice => [names
# that came more than once], body, connection} and returns
#   { status, headers => [[name, value], ...], body, kind => 'DAS', quiet => 1 (does not count) }
# and, of how it is delivered:
#   delay => s      so much later            hold => NAME   when release(NAME) is called
#   cut => n        n bytes of the body, then the connection is closed
#   length => n     what Content-Length says     chunked => n   in chunks of n bytes
#   close => 1      closed without an answer     reset => 1     the same, with a reset
#   hang => 1       never answered               last => 1      answered, then closed without a word
package CloudServer::Loop;
use strict;
use warnings;
use Errno qw(EAGAIN EWOULDBLOCK EINTR);
use IO::Handle;
use IO::Socket::INET;
use POSIX ();
use Socket qw(SOL_SOCKET SO_LINGER IPPROTO_TCP TCP_NODELAY);
use Time::HiRes qw(clock_gettime CLOCK_MONOTONIC);

use constant TCP_QUICKACK => 12;
use constant { READ_SIZE => 65536, HEAD_MAX => 131_072 };

my %reason = (200 => 'OK', 201 => 'Created', 204 => 'No Content', 400 => 'Bad Request', 401 => 'Unauthorized', 403 => 'Forbidden',
    404 => 'Not Found', 413 => 'Request Entity Too Large', 414 => 'URI Too Long', 429 => 'Too Many Requests',
    500 => 'Internal Server Error', 502 => 'Bad Gateway', 503 => 'Service Unavailable', 504 => 'Gateway Timeout');

sub now { return clock_gettime(CLOCK_MONOTONIC) }

# listen => socket, tls => an IO::Socket::SSL context or undef, handler => sub
sub new {
    my ($class, %opt) = @_;
    $opt{listen}->blocking(0);
    return bless { %opt, by_fd => {}, next => 0, in_flight => 0, max_parallel => 0, held => {}, due => [],
        want => { r => '', w => '' } }, $class;
}

# Until that process, which started it, is gone.
sub run {
    my ($self, $parent) = @_;
    my $listen_fd = fileno $self->{listen};
    vec($self->{want}{r}, $listen_fd, 1) = 1;
    while (getppid == $parent) {
        my ($r, $w) = @{ $self->{want} }{qw(r w)};
        my $wait = 1;
        if (@{ $self->{due} }) {
            my $first = $self->{due}[0]{at} - now();
            $wait = $first < 0 ? 0 : $first if $first < $wait;
        }
        my $n = select $r, $w, undef, $wait;
        if ($n > 0) {
            $self->accept if vec($r, $listen_fd, 1);
            my @ready;
            my @connections = values %{ $self->{by_fd} };
            for my $c (grep { $_->{sock} } @connections) {
                my ($can_read, $can_write) = (vec($r, $c->{fd}, 1), vec($w, $c->{fd}, 1));
                if (!$c->{open}) { $self->handshake($c) if $can_read || $can_write }
                else {
                    $self->flush($c) if $can_write;
                    $self->read($c, \@ready) if $can_read && $c->{sock};
                }
            }
            $self->answer(@$_) for @ready;    # all that came together is in flight together
        }
        $self->deliver_due if @{ $self->{due} };
    }
}

sub watch {
    my ($self, $c, $way, $on) = @_;
    vec($self->{want}{$way}, $c->{fd}, 1) = $on;
}

sub accept {
    my ($self) = @_;
    while (my $sock = $self->{listen}->accept) {
        $sock->blocking(0);
        setsockopt $sock, IPPROTO_TCP, TCP_NODELAY, 1;
        my $c = { id => ++$self->{next}, sock => $sock, fd => fileno $sock, in => '', out => '', sent => 0, served => 0, open => !$self->{tls} };
        if ($self->{tls}) {
            IO::Socket::SSL->start_SSL($sock, SSL_server => 1, SSL_reuse_ctx => $self->{tls}, SSL_startHandshake => 0) or next;
        }
        $self->{by_fd}{ $c->{fd} } = $c;
        $self->watch($c, 'r', 1);
    }
}

sub handshake {
    my ($self, $c) = @_;
    if ($c->{sock}->accept_SSL) {
        $c->{open} = 1;
        $self->watch($c, 'w', 0);
        return;
    }
    my $why = $IO::Socket::SSL::SSL_ERROR + 0;
    return $self->drop($c) if $why != IO::Socket::SSL::SSL_WANT_READ() && $why != IO::Socket::SSL::SSL_WANT_WRITE();
    $self->watch($c, 'w', $why == IO::Socket::SSL::SSL_WANT_WRITE());
}

sub drop {
    my ($self, $c, $reset) = @_;
    my $sock = delete $c->{sock} or return;
    $self->watch($c, $_, 0) for qw(r w);
    delete $self->{by_fd}{ $c->{fd} };
    setsockopt $sock, SOL_SOCKET, SO_LINGER, pack 'ii', 1, 0 if $reset;
    $self->settled($c);
    close $sock;
}

# Its request is answered, or nobody waits for the answer any more.
sub settled {
    my ($self, $c) = @_;
    my $request = delete $c->{request} or return;
    $self->{in_flight}-- unless $request->{quiet};
}

# --- in ------------------------------------------------------------------------------------------

sub read {
    my ($self, $c, $ready) = @_;
    while (1) {
        $! = 0;    # TLS leaves it alone where it is set
        my $n = sysread $c->{sock}, $c->{in}, READ_SIZE, length $c->{in};
        if (!defined $n) {
            return $self->drop($c) if $! != EAGAIN && $! != EWOULDBLOCK && $! != EINTR;
            last;
        }
        return $self->drop($c) if !$n;
        last if $n < READ_SIZE && !($self->{tls} && $c->{sock}->pending);
    }
    $self->next_request($c, $ready);
    # Half a request: its writer may wait for a sign before it sends the rest.
    setsockopt $c->{sock}, IPPROTO_TCP, TCP_QUICKACK, 1 if $c->{sock} && !$c->{request};
}

# Takes one request out of what came in, if it is all there and nothing is being answered.
sub next_request {
    my ($self, $c, $ready) = @_;
    return if $c->{request} || !length $c->{in};
    my $r = $c->{head};
    if (!$r) {
        my $end = index $c->{in}, "\r\n\r\n";
        if ($end < 0) {
            return $self->drop($c) if length $c->{in} > HEAD_MAX || $c->{in} =~ /\A[^A-Z]/;    # TLS, to a server that has none
            return;
        }
        my ($line, @lines) = split /\r\n/, substr($c->{in}, 0, $end);
        substr($c->{in}, 0, $end + 4, '');
        $r = { connection => $c->{id}, headers => [], h => {}, twice => [], body => '' };
        (@$r{qw(method target)}, my $minor) = $line =~ m{\A([A-Z]+) (\S+) HTTP/1\.([01])\z} or return $self->drop($c);
        for (@lines) {
            my ($name, $value) = /\A([^\s:]+):[ \t]*(.*?)[ \t]*\z/ or return $self->drop($c);
            push @{ $r->{headers} }, [ $name, $value ];
            push @{ $r->{twice} }, lc $name if exists $r->{h}{ lc $name };
            $r->{h}{ lc $name } = $value;
        }
        $r->{last} = 1 if $minor eq '0' || lc($r->{h}{connection} // '') eq 'close';
        $r->{quiet} = $r->{target} =~ m{\A/_test/};
        $r->{chunks} = lc($r->{h}{'transfer-encoding'} // '') eq 'chunked';
        $c->{head} = $r;
        if (lc($r->{h}{expect} // '') eq '100-continue') {
            $c->{out} .= "HTTP/1.1 100 Continue\r\n\r\n";
            $self->flush($c);
        }
    }
    if ($r->{chunks}) {
        until ($r->{complete}) {
            my ($size) = $c->{in} =~ /\A([0-9A-Fa-f]+)[^\r\n]*\r\n/ or return;
            my $skip = $+[0];
            my $n = hex $size;
            return if length $c->{in} < $skip + $n + 2;    # no trailer is expected
            $r->{body} .= substr $c->{in}, $skip, $n;
            substr $c->{in}, 0, $skip + $n + 2, '';
            $r->{complete} = !$n;
        }
    } else {
        my $length = $r->{h}{'content-length'} // 0;
        return $self->drop($c) if $length !~ /\A\d+\z/;
        return if length $c->{in} < $length;
        $r->{body} = substr $c->{in}, 0, $length, '';
    }
    delete $c->{head};
    $c->{request} = $r;
    if (!$r->{quiet}) {
        $self->{in_flight}++;
        $self->{max_parallel} = $self->{in_flight} if $self->{in_flight} > $self->{max_parallel};
    }
    push @$ready, [ $c, $r ];
}

# --- out -----------------------------------------------------------------------------------------

sub answer {
    my ($self, $c, $r) = @_;
    my $how = $self->{handler}->($r);
    return if !$c->{sock} || $how->{hang};
    if (defined $how->{hold}) { push @{ $self->{held}{ $how->{hold} } }, [ $c, $r, $how ] }
    elsif ($how->{delay}) {
        $self->{due} = [ sort { $a->{at} <=> $b->{at} } @{ $self->{due} }, { at => now() + $how->{delay}, what => [ $c, $r, $how ] } ];
    } else { $self->deliver($c, $r, $how) }
}

sub deliver_due {
    my ($self) = @_;
    my $now = now();
    $self->deliver(@{ shift(@{ $self->{due} })->{what} }) while @{ $self->{due} } && $self->{due}[0]{at} <= $now;
}

# Answers what was held; returns how many that were.
sub release {
    my ($self, $name) = @_;
    my $held = delete $self->{held}{$name} || [];
    $self->deliver(@$_) for @$held;
    return scalar @$held;
}

sub deliver {
    my ($self, $c, $r, $how) = @_;
    return if !$c->{sock} || ($c->{request} // 0) != $r;
    return $self->drop($c, $how->{reset}) if $how->{close} || $how->{reset};
    my $status = $how->{status};
    my $body = $how->{body} // '';
    my $text = "HTTP/1.1 $status " . ($reason{$status} || 'Status') . "\r\n";
    $text .= "$_->[0]: $_->[1]\r\n" for @{ $how->{headers} };
    if ($how->{chunked}) { $text .= "Transfer-Encoding: chunked\r\n" }
    elsif ($status != 204) { $text .= 'Content-Length: ' . ($how->{length} // length $body) . "\r\n" }
    $text .= "Connection: close\r\n" if $r->{last};
    $text .= "\r\n";
    my $sent = $r->{method} eq 'HEAD' || $status == 204 ? '' : defined $how->{cut} ? substr($body, 0, $how->{cut}) : $body;
    if ($how->{chunked}) {
        for (my $at = 0; $at < length $sent; $at += $how->{chunked}) {
            my $part = substr $sent, $at, $how->{chunked};
            $text .= sprintf "%x\r\n%s\r\n", length $part, $part;
        }
        $text .= "0\r\n\r\n" unless defined $how->{cut};
    } else { $text .= $sent }
    $c->{served}++ unless $r->{quiet};
    $c->{last} = $r->{last} || $how->{last} || defined $how->{cut} || defined $how->{length};
    $c->{out} .= $text;
    $self->flush($c);
}

sub flush {
    my ($self, $c) = @_;
    while ($c->{sent} < length $c->{out}) {
        $! = 0;
        my $n = syswrite $c->{sock}, $c->{out}, 262_144, $c->{sent};
        if (!defined $n) {
            return $self->drop($c) if $! != EAGAIN && $! != EWOULDBLOCK && $! != EINTR;
            $self->watch($c, 'w', 1);
            return;
        }
        $c->{sent} += $n;
    }
    return if !length $c->{out};
    ($c->{out}, $c->{sent}) = ('', 0);
    $self->watch($c, 'w', 0);
    return if $c->{head};    # that was "100 Continue"
    $self->settled($c);
    return $self->drop($c) if $c->{last};
    $self->next_request($c, \my @ready);    # it may have come already
    $self->answer(@$_) for @ready;
}

1;
