# Chat.pm - a chat platform as das and people see it: a server that takes what das sends, checks its signatures and
# limits by itself, and keeps the conversation; and people in it, who type commands and press buttons. What they do is
# signed here, with nothing of das's own code, and delivered to das serve. One file a platform: Chat/Slack.pm ...
#
#   my $chat = Chat::Slack->new(people => { alice => 'U0ALICE' });
#   # $chat->channel and $chat->hook are Lua for das.lua; $chat->meet($serve->base) says where das serve is
#   my $r = $chat->type(alice => 'preview orders time=60');          # {status, body, shown}
#   my $message = $chat->wait_for(bob => qr/Approval wanted/);      # {id, text, buttons, edits, thread, only}
#   $chat->press(bob => $message, 'Approve');  $chat->replay;  $chat->busy;  $chat->faults
package Chat;
use strict;
use warnings;
use Digest::SHA ();
use Fcntl qw(:flock);
use File::Temp qw(tempdir tempfile);
use HTTP::Tiny;
use JSON::PP;
use Scalar::Util qw(weaken);
use Das ();
use WebServer;

our $json = JSON::PP->new->utf8->canonical->allow_nonref;
my $count = 0;

sub random_hex {
    my ($bytes) = @_;
    open my $in, '<:raw', '/dev/urandom' or die;
    read($in, my $raw, $bytes) == $bytes or die;
    return unpack 'H*', $raw;
}

sub new {
    my ($class, %opt) = @_;
    my $self = bless { owner => $$, dir => tempdir('das-chat-XXXXXX', TMPDIR => 1, CLEANUP => 1), people => {}, %opt }, $class;
    $self->{name} = lc((split /::/, $class)[-1]);
    $self->{path} = "/hooks/$self->{name}";
    $self->{state} = "$self->{dir}/state";
    $self->keep(sub { %{ $_[0] } = (messages => [], faults => [], limited => 0, busy => 0, taken => 0) });
    $self->set_up;
    my $weak = $self;
    weaken($weak);    # else neither of the two is ever destroyed in time, and the server stays
    $self->{web} = WebServer->new(handler => sub { return $weak->handle($_[0]) });
    $self->{url} = "http://127.0.0.1:$self->{web}{port}";
    return $self;
}

# Where das serve is, and which instance of everything people may ask for.
sub meet { my ($self, $base) = @_; $self->{das} = $base; return $self }

# A file with a secret; its place as Lua.
sub place {
    my ($self, $name, $value) = @_;
    open my $out, '>', "$self->{dir}/$name" or die "$name: $!";
    print $out "$value\n";
    close $out;
    chmod 0600, "$self->{dir}/$name";
    return "{ file = '$self->{dir}/$name' }";
}

# --- what all processes of the platform know ---------------------------------------------------------------------

# Calls back with the state, which is kept then; returns what it returns.
sub keep {
    my ($self, $what) = @_;
    open my $lock, '>>', "$self->{state}.lock" or die;
    flock $lock, LOCK_EX;
    my $state = {};
    if (open my $in, '<:raw', $self->{state}) { local $/; $state = $json->decode(<$in>) }
    my $result = $what->($state);
    open my $out, '>:raw', "$self->{state}.new" or die;
    print $out $json->encode($state);
    close $out or die;
    rename "$self->{state}.new", $self->{state} or die;
    return $result;
}

# What has no width nobody sees.
sub visible { my ($m) = @_; $m->{text} =~ s/\x{200b}//g if defined $m->{text}; return $m }

# Markdown that knows no escapes: a mark that nothing keeps apart means something. Undef where that is only what das itself puts
# in, bold words and a link called more; else what there is besides.
sub markup_of_markdown {
    my ($text) = @_;
    $text =~ s/.\x{200b}//gs;    # a mark, and what keeps it apart
    $text =~ s/\[more\]\(https?:[^\s()]+\)//g;
    $text =~ s/\*\*([^*]*)\*\*/$1/g;
    return $text =~ /(\@(?:all|\d|\x{6240}\x{6709}\x{4eba})|\]\(|[*`#~]|<\@|^>)/m ? "markup: $1 in $text" : undef;
}

# %$m: text, buttons => [{label, value, url}], only => person, thread
sub add {
    my ($self, $m) = @_;
    visible($m);
    return $self->keep(sub {
        my ($s) = @_;
        push @{ $s->{messages} }, { edits => 0, buttons => [], n => scalar @{ $s->{messages} }, %$m };
        return $s->{messages}[-1];
    });
}

# False: there is no such message.
sub edit {
    my ($self, $id, $m) = @_;
    visible($m);
    return $self->keep(sub {
        for my $old (grep { ($_->{id} // '') eq $id } @{ $_[0]{messages} }) {
            push @{ $old->{before} }, $old->{text};
            %$old = (%$old, buttons => [], %$m, edits => $old->{edits} + 1);
            return 1;
        }
        return 0;
    });
}

sub find { my ($self, $id) = @_; return (grep { ($_->{id} // '') eq $id } $self->messages)[0] }

# What das sent that the platform would not have taken: none in a test that goes well.
sub fault {
    my ($self, $what) = @_;
    $self->keep(sub { push @{ $_[0]{faults} }, $what });
    return 0;
}
sub faults { return @{ $_[0]->keep(sub { $_[0]{faults} }) } }

sub messages { return @{ $_[0]->keep(sub { $_[0]{messages} }) } }

# What that person has before him.
sub seen_by { my ($self, $who) = @_; return grep { !defined $_->{only} || $_->{only} eq $who } $self->messages }

# The newest one that says so, within half a minute; $from: number of the first that counts.
sub wait_for {
    my ($self, $who, $like, $from) = @_;
    my $found;
    Das::wait_for(sub {
        ($found) = grep { $_->{text} =~ $like && $_->{n} >= ($from // 0) } reverse $self->seen_by($who);
        return $found;
    }, 30);
    return $found;
}
sub so_far { return scalar $_[0]->messages }

# The next message is refused as one too many, once.
sub busy { my ($self) = @_; $self->keep(sub { $_[0]{busy}++ }) }
sub limited { return $_[0]->keep(sub { $_[0]{limited} }) }
sub too_many { return $_[0]->keep(sub { my ($s) = @_; return 0 if !$s->{busy}; $s->{busy}--; return ++$s->{limited} }) }

# Can messages be changed there; does a request say when it was sent?
sub edits { return 1 }
sub knows_time { return 1 }

# An address that comes with a request, for answers to that person: so long, and so often.
sub new_place {
    my ($self, $who, $lives) = @_;
    my $id = random_hex(12);
    $self->keep(sub { $_[0]{places}{$id} = { who => $who, uses => 0, until => time + $lives } });
    return $id;
}

# Undef, and a fault: there is none, or none any more.
sub use_place {
    my ($self, $id, $most) = @_;
    my $place = $self->keep(sub { my $p = $_[0]{places}{$id}; $p->{uses}++ if $p; return $p });
    return $place if $place && $place->{uses} <= $most && time <= $place->{until};
    $self->fault('an address for answers ' . (!$place ? 'that is none' : time > $place->{until} ? 'after its time' : "used more than $most times"));
    return undef;
}

# --- the server --------------------------------------------------------------------------------------------------

sub answer { my ($status, $what, %headers) = @_; return [ $status, { 'Content-Type' => 'application/json', %headers }, $json->encode($what) ] }

sub handle {
    my ($self, $request) = @_;
    my $body = eval { $json->decode($request->{body}) };
    my $answer = eval { $self->take($request, $body) };
    return $answer if $answer;
    $self->fault("$request->{method} $request->{path}: " . ($@ || 'nothing is there'));
    return [ 404, {}, 'nothing here' ];
}

# --- people ------------------------------------------------------------------------------------------------------

sub id { my ($self, $who) = @_; return $self->{people}{$who} // die "$who is not on $self->{name}\n" }

# An id that no delivery had before.
sub fresh { my ($self) = @_; return sprintf '%d%05d%s', time, ++$count, random_hex(4) }

sub button {
    my ($self, $message, $label) = @_;
    my $now = $self->find($message->{id}) // $message;
    my ($b) = grep { $_->{label} eq $label } @{ $now->{buttons} }, @{ $message->{buttons} };
    return $b // die "there is no button $label\n";
}

# Sends it to das serve, and keeps it to be sent again.
sub deliver {
    my ($self, $headers, $content, %opt) = @_;
    $self->{last} = [ $headers, $content, {%opt} ];
    my $who = $opt{who};
    my $r = HTTP::Tiny->new(timeout => 30)->request($opt{method} // 'POST', $self->{das} . $self->{path} . ($opt{query} // ''),
        { headers => $headers, content => $content });
    my $said = { status => $r->{status}, body => $r->{content}, json => scalar(eval { $json->decode($r->{content}) }) };
    $said->{shown} = $r->{success} && length $r->{content} ? $self->shown($said, %opt) : undef;
    $self->add({ text => $said->{shown}, only => $who }) if defined $said->{shown};
    return $said;
}

# The very same bytes once more; $which: what $chat->{last} was.
sub replay { my ($self, $which) = @_; my ($h, $c, $o) = @{ $which // $self->{last} }; return $self->deliver($h, $c, %$o) }

# --- tools -------------------------------------------------------------------------------------------------------

# What das is never trusted with here: another program does it.
sub openssl {
    my ($input, @args) = @_;
    my ($in, $path) = tempfile(UNLINK => 1);
    binmode $in;
    print $in $input;
    close $in;
    open my $out, '-|:raw', 'openssl', map { $_ eq '@' ? $path : $_ } @args or die "openssl: $!";
    local $/;
    my $text = <$out>;
    close $out or die "openssl @args failed\n";
    unlink $path;
    return $text;
}

sub aes_256_cbc {
    my ($key, $iv, $padded) = @_;
    return openssl($padded, 'enc', '-aes-256-cbc', '-nopad', '-K', unpack('H*', $key), '-iv', unpack('H*', $iv), '-in', '@');
}

sub pad { my ($text, $block) = @_; my $n = $block - length($text) % $block; return $text . chr($n) x $n }

sub form { return join '&', map { my ($k, $v) = @$_; s/([^A-Za-z0-9._~-])/sprintf '%%%02X', ord $1/ge for $v; "$k=$v" } @_ }

1;
