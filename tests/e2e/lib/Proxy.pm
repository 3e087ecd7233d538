# Proxy.pm - stands between das and a server and misbehaves on demand.
#
#   my $proxy = Proxy->new("127.0.0.1:$db->{port}");
#   $proxy->tell('drop KILL');      # forward what holds "KILL", then cut the connection
#   $proxy->tell('to 127.0.0.1:4000');  # later connections go there; open ones are cut
#   $proxy->tell('swap 127.0.0.1:4000');  # open connections go on there, as behind a proxy that
#                                         # shares connections; needs a user without a password
#   ... "mysql://user@127.0.0.1:$proxy->{port}/" ...
package Proxy;
use strict;
use warnings;
use IO::Select;
use IO::Socket::INET;
use POSIX ();

sub new {
    my ($class, $target) = @_;
    my $listen = IO::Socket::INET->new(Listen => 20, LocalAddr => '127.0.0.1') or die "listen: $!\n";
    my $self = bless { owner => $$, port => $listen->sockport }, $class;
    pipe(my $read, $self->{control}) or die;
    pipe($self->{answer}, my $done) or die;
    $self->{control}->autoflush(1);
    $done->autoflush(1);
    $self->{pid} = fork // die "fork: $!\n";
    if (!$self->{pid}) {
        $SIG{$_} = 'DEFAULT' for qw(INT TERM HUP);
        $SIG{PIPE} = 'IGNORE';
        close $self->{control};    # our end, so that the test's end closing is seen
        serve($listen, $read, $done, $target);
        POSIX::_exit(0);
    }
    return $self;
}

sub serve {
    my ($listen, $control, $done, $target) = @_;
    my $select = IO::Select->new($listen, $control);
    my (%peer, %from_client, %login, $drop);
    my $cut = sub {
        for my $s (grep { defined } $_[0], delete $peer{ $_[0] }) {
            delete $peer{$s};
            $select->remove($s);
            close $s;
        }
    };
    while (my @ready = $select->can_read) {
        for my $s (@ready) {
            if ($s == $control) {
                my $line = '';
                while (sysread($s, my $c, 1)) { last if $c eq "\n"; $line .= $c }
                return unless length $line;
                $drop = $1 if $line =~ /^drop (.*)/;
                if ($line =~ /^to (.*)/) {
                    $target = $1;
                    $cut->($_) for grep { $from_client{$_} && $peer{$_} } $select->handles;
                }
                if ($line =~ /^swap (.*)/) {
                    $target = $1;
                    swap($select, \%peer, $_, $target, $login{$_})
                        for grep { $from_client{$_} && $peer{$_} } $select->handles;
                }
                print $done "ok\n";
            } elsif ($s == $listen) {
                my $client = $listen->accept or next;
                my $server = IO::Socket::INET->new($target);
                next unless $server;
                @peer{ $client, $server } = ($server, $client);
                $from_client{$client} = 1;
                $select->add($client, $server);
            } elsif ($peer{$s}) {
                my $n = sysread $s, my $data, 65536;
                if (!$n) { $cut->($s); next }
                $login{$s} //= $data if $from_client{$s};    # the first that a client says
                syswrite $peer{$s}, $data;
                $cut->($s) if defined $drop && $from_client{$s} && index($data, $drop) >= 0;
            }
        }
    }
}

# Leads a client to another server: logs in there with what it said to the first one. Without a
# password that is the same for every server.
sub swap {
    my ($select, $peer, $client, $target, $login) = @_;
    my $server = IO::Socket::INET->new($target) or die "swap: $!\n";
    sysread $server, my $greeting, 65536;
    syswrite $server, $login;
    sysread $server, my $answer, 65536;
    die "swap: no login there\n" unless ord(substr $answer, 4) == 0;
    my $old = $peer->{$client};
    delete $peer->{$old};
    $select->remove($old);
    close $old;
    @$peer{ $client, $server } = ($server, $client);
    $select->add($server);
}

sub tell {
    my ($self, $command) = @_;
    print { $self->{control} } "$command\n";
    readline $self->{answer};
}

sub DESTROY {
    my ($self) = @_;
    return if $$ != $self->{owner};
    local ($?, $!);
    kill 'TERM', $self->{pid};
    waitpid $self->{pid}, 0;
}

1;
