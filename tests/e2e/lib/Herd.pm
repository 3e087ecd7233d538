# Herd.pm - client connections that are busy with what the test says (see tests/e2e/herd.c).
#
#   my $herd = Herd->new($db->{socket});         # or "127.0.0.1:$port"
#   my $id = $herd->add('root', '', 'SELECT SLEEP(100)');
#   $herd->say(1, 'SELECT SLEEP(50)');           # after the first one's end
package Herd;
use strict;
use warnings;
use IPC::Open2;

sub program { return ($ENV{DAS_HERD} || ($ENV{BUILD} || 'build') . '/tests/e2e/herd') }

sub new {
    my ($class, $where, %opt) = @_;
    my $self = bless { owner => $$, count => 0 }, $class;
    local $ENV{HERD_PASSWORD} = $opt{password} // '';
    $self->{pid} = open2($self->{out}, $self->{in}, program(), $where, 'HERD_PASSWORD');
    binmode $self->{$_} for qw(in out);
    return $self;
}

sub escape {
    my ($text) = @_;
    utf8::encode($text) if utf8::is_utf8($text);
    $text =~ s/([\\\t\n]|[\x00-\x1f])/sprintf '\\x%02x', ord $1/ge;
    return $text;
}

# Opens a connection that runs $sql (nothing when empty); its id, or undef with the reason in
# $herd->{error}. The first connection has number 1, and so on; $herd->{count} is the last one's.
sub add {
    my ($self, $user, $db, $sql) = @_;
    return ($self->add_all([$user, $db, $sql]))[0];
}

# Many at once: the ids in the same order.
sub add_all {
    my ($self, @members) = @_;
    my @ids;
    while (my @some = splice @members, 0, 50) {    # not more than the pipes hold
        print { $self->{in} } map { join("\t", map { escape($_ // '') } @$_[0 .. 2]) . "\n" } @some;
        $self->{in}->flush;
        for (@some) {
            my $line = readline $self->{out};
            chomp $line;
            $self->{count}++;
            $self->{error} = $line if $line !~ /^\d+$/;
            push @ids, $line =~ /^\d+$/ ? $line : undef;
        }
    }
    return @ids;
}

# Waits for the result of connection number $n, then sends $sql there. "ok" or "error NUMBER text".
sub say {
    my ($self, $n, $sql) = @_;
    print { $self->{in} } "\@$n\t" . escape($sql) . "\n";
    $self->{in}->flush;
    my $line = readline($self->{out}) // '';
    chomp $line;
    $line =~ s/^\@\d+ //;
    return $line;
}

# Pings connection number $n, which does nothing else at the moment. "ok" or why not.
sub ping {
    my ($self, $n) = @_;
    print { $self->{in} } "?$n\n";
    $self->{in}->flush;
    my $line = readline($self->{out}) // '';
    chomp $line;
    $line =~ s/^\@\d+ //;
    return $line;
}

sub close {
    my ($self) = @_;
    return if $$ != $self->{owner} || !$self->{pid};
    local ($?, $!);
    CORE::close $self->{in};
    waitpid delete $self->{pid}, 0;
}

sub DESTROY { $_[0]->close }

1;
