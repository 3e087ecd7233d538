# HttpdRun.pm - a server of core/serve/httpd.h (tests/e2e/httpd_run.c), and raw sockets to it.
#
#   my $s = HttpdRun->new('127.0.0.1:0', 'deadline=500', ...);   its arguments
#   $s->port; $s->order('load')         its answer to an order, a line
#   $s->load                            {connections, busy, accepted, refused, cut}
#   $s->log; $s->wait_log(qr/.../)      what it wrote so far; until that is in it
#   $s->connect(from => '127.0.0.2')    a socket (IO::Socket::INET) or undef
#   $s->ask($bytes, slow => 1)          all that is answered until the connection is closed; slow: a byte at a time
#   HttpdRun::answers($bytes, 'HEAD', ...)  [{status, headers => {lower => value}, body}]; methods tell which have no body
#   $s->stop                            its last words
package HttpdRun;
use strict;
use warnings;
use File::Temp qw(tempfile);
use IO::Socket::INET;
use IPC::Open3;
use Socket qw(IPPROTO_TCP TCP_NODELAY SHUT_WR);
use Time::HiRes qw(sleep time);

my $program = ($ENV{BUILD} || 'build') . '/tests/e2e/httpd_run';
my $patience = 60;    # s; only a test that fails waits so long

sub new {
    my ($class, @args) = @_;
    my $self = bless {}, $class;
    ($self->{err}, $self->{log}) = tempfile(UNLINK => 1);
    my $err = '>&' . fileno $self->{err};
    $self->{pid} = open3(@$self{qw(in out)}, $err, $program, @args);
    for (grep { !/=/ } @args) {
        my $line = readline $self->{out};
        return $self->fail if !defined $line;
        push @{ $self->{at} }, $line =~ /^at (\S+)/;
    }
    return $self;
}

# It did not start.
sub fail {
    my ($self) = @_;
    waitpid delete $self->{pid}, 0;
    $self->{exit} = $? >> 8;
    return $self;
}

sub address { my ($self, $i) = @_; return $self->{at}[ $i || 0 ] }
sub port { my ($self, $i) = @_; my ($port) = $self->address($i) =~ /:(\d+)$/; return $port }

sub order {
    my ($self, $order) = @_;
    print { $self->{in} } "$order\n";
    $self->{in}->flush;
    my $line = readline $self->{out};
    chomp $line if defined $line;
    return $line // 'no answer';
}

sub load { my ($self) = @_; return { $self->order('load') =~ /(\w+)=(\d+)/g } }

sub until_load {
    my ($self, $good) = @_;
    my $end = time + $patience;
    while (time < $end) {
        my $load = $self->load;
        return $load if $good->($load);
        sleep 0.01;
    }
    return undef;
}

sub log {
    my ($self) = @_;
    open my $fh, '<', $self->{log} or die "$self->{log}: $!\n";
    local $/;
    return scalar <$fh>;
}

sub wait_log {
    my ($self, $what) = @_;
    my $end = time + $patience;
    while (time < $end) {
        return 1 if $self->log =~ $what;
        sleep 0.01;
    }
    return 0;
}

sub connect {
    my ($self, %opt) = @_;
    my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $self->port, Timeout => $patience,
        $opt{from} ? (LocalAddr => $opt{from}) : ()) or return undef;
    setsockopt $socket, IPPROTO_TCP, TCP_NODELAY, 1;
    $socket->blocking(1);
    return $socket;
}

sub put {
    my ($socket, $bytes, $slow) = @_;
    local $SIG{PIPE} = 'IGNORE';
    while (length $bytes) {
        my $n = syswrite $socket, $bytes, $slow ? 1 : length $bytes;
        return 0 if !defined $n;
        substr $bytes, 0, $n, '';
        sleep 0.0002 if $slow;
    }
    return 1;
}

# Until it is closed, or $enough says so.
sub get {
    my ($socket, $enough) = @_;
    my ($all, $end) = ('', time + $patience);
    while (time < $end) {
        vec(my $ready = '', fileno $socket, 1) = 1;
        next if !((ref $socket && $socket->can('pending') && $socket->pending) || select $ready, undef, undef, 0.5);
        my $n = sysread $socket, $all, 65536, length $all;
        next if !defined $n && ($!{EAGAIN} || $!{EINTR});
        return $all if !$n || ($enough && $enough->($all));
    }
    return "$all(still open)";
}

sub ask {
    my ($self, $bytes, %opt) = @_;
    my $socket = $self->connect or return 'no connection';
    put($socket, $bytes, $opt{slow});
    return get($socket);
}

# One answer on a connection that stays open.
sub exchange {
    my ($socket, $bytes) = @_;
    put($socket, $bytes);
    return get($socket, sub { my ($a) = answers($_[0]); $a && defined $a->{body} });
}

sub answers {
    my ($bytes, @methods) = @_;
    my @all;
    while ($bytes =~ s/^HTTP\/1\.1 (\d+) [^\r\n]*\r\n(.*?\r\n)\r\n//s) {
        my ($status, $head) = ($1, $2);
        my %headers = map { /^([^:]+): (.*)/ ? (lc $1 => $2) : () } split /\r\n/, $head;
        my $answer = { status => $status, headers => \%headers };
        my $method = $status == 100 ? 'HEAD' : shift @methods // 'GET';
        my $length = $method eq 'HEAD' ? 0 : $headers{'content-length'} // 0;
        $answer->{body} = substr $bytes, 0, $length, '' if length $bytes >= $length;
        push @all, $answer;
    }
    push @all, { status => 'garbage', rest => $bytes } if length $bytes;
    return @all;
}

sub stop {
    my ($self) = @_;
    close $self->{in};
    my $last = readline $self->{out};
    waitpid delete $self->{pid}, 0;
    return ($last // '') . ($? ? "exit $?\n" . $self->log : '');
}

sub DESTROY {
    my ($self) = @_;
    return if !$self->{pid};
    local ($?, $!);
    close $self->{in};
    waitpid $self->{pid}, 0;
}

1;
