# WebServer.pm - a web server on this machine that answers as it was told, and writes down what it
# was asked. A process for each connection.
#
#   my $web = WebServer->new(tls => [cert, key], handler => sub {
#       my ($request, $client) = @_;    # {method, path, headers => {lower => value}, body, raw, n}
#       return [200, { 'Content-Type' => 'text/plain' }, 'hello'];   # or undef: handled, close
#   });
#   $web->{port}; $web->requests        # all requests so far, as hashes; n counts from 1
package WebServer;
use strict;
use warnings;
use Fcntl qw(:flock SEEK_END);
use File::Temp qw(tempfile);
use IO::Socket::INET;
use JSON::PP;
use POSIX ();

# Below the range that the kernel gives to outgoing connections, so that no port is taken twice.
sub listener {
    my ($backlog) = @_;
    for (1 .. 200) {
        my $listen = IO::Socket::INET->new(Listen => $backlog || 100, LocalAddr => '127.0.0.1',
            LocalPort => 20000 + int rand 12000, ReuseAddr => 1);
        return $listen if $listen;
    }
    die "no free port\n";
}

sub new {
    my ($class, %opt) = @_;
    my $listen = listener();
    my (undef, $log) = tempfile(UNLINK => 1);
    my $self = bless { owner => $$, port => $listen->sockport, log => $log, %opt }, $class;
    $self->{pid} = fork // die "fork: $!\n";
    return $self if $self->{pid};
    $SIG{$_} = 'DEFAULT' for qw(INT TERM HUP);
    $SIG{CHLD} = 'IGNORE';
    $SIG{PIPE} = 'IGNORE';
    while (1) {
        my $client = $listen->accept or next;
        my $pid = fork // next;
        if (!$pid) {
            close $listen;
            alarm 60;
            $self->serve($client);
            POSIX::_exit(0);
        }
        close $client;
    }
}

sub serve {
    my ($self, $client) = @_;
    if ($self->{tls}) {
        require IO::Socket::SSL;
        IO::Socket::SSL->start_SSL($client, SSL_server => 1, SSL_cert_file => $self->{tls}[0],
            SSL_key_file => $self->{tls}[1]) or return;
    }
    my $buffer = '';
    while (1) {
        until ($buffer =~ /\r\n\r\n/) {
            sysread($client, $buffer, 65536, length $buffer) or return;
            return if $buffer =~ /^\x16/;    # TLS, to a server that has none
        }
        my ($head, $rest) = split /\r\n\r\n/, $buffer, 2;
        my ($line, @lines) = split /\r\n/, $head;
        my %headers = map { /^([^:]*):\s*(.*)/ ? (lc $1 => $2) : () } @lines;
        my $length = $headers{'content-length'} || 0;
        while (length $rest < $length) {
            sysread($client, $rest, 65536, length $rest) or return;
        }
        $buffer = substr $rest, $length;
        my ($method, $path) = split / /, $line;
        my $request = { method => $method, path => $path, headers => \%headers, raw => $head,
            body => substr($rest, 0, $length), connection => $$ };
        $request->{n} = $self->note($request);
        my $answer = $self->{handler}->($request, $client) or return;
        my ($status, $fields, $body) = @$answer;
        $body //= '';
        my $text = "HTTP/1.1 $status Said So\r\n";
        for my $name (sort keys %$fields) {
            $text .= "$name: $_\r\n" for ref $fields->{$name} ? @{ $fields->{$name} } : $fields->{$name};
        }
        $text .= 'Content-Length: ' . length($body) . "\r\n" unless $fields->{'Content-Length'} || $status == 204;
        $text .= "\r\n";
        $text .= $body unless $method eq 'HEAD';
        syswrite_all($client, $text) or return;
    }
}

sub syswrite_all {
    my ($to, $text) = @_;
    while (length $text) {
        my $n = syswrite $to, $text or return;
        substr $text, 0, $n, '';
    }
    return 1;
}

# Writes the request down; returns the number of its kind (method and path), from 1.
sub note {
    my ($self, $request) = @_;
    open my $log, '+>>', $self->{log} or die;
    flock $log, LOCK_EX;
    seek $log, 0, 0;
    my $n = 1 + grep { $_->{method} eq $request->{method} && $_->{path} eq $request->{path} }
        map { decode_json($_) } <$log>;
    seek $log, 0, SEEK_END;
    print $log encode_json($request), "\n";
    close $log;
    return $n;
}

sub requests {
    my ($self) = @_;
    open my $log, '<', $self->{log} or die;
    return map { decode_json($_) } <$log>;
}

sub forget { truncate $_[0]{log}, 0 }

sub DESTROY {
    my ($self) = @_;
    return if $$ != $self->{owner};
    local ($?, $!);
    kill 'TERM', $self->{pid};
    waitpid $self->{pid}, 0;
}

1;
