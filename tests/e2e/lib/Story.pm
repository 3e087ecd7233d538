# Story.pm - the stage for stories in chats: a database with busy people on it, das serve with a das.lua that knows who is
# who, and chat platforms that both sides write to.
#
#   my $story = Story->new(chats => [qw(Slack Feishu)]);    # more Lua: commands of each chat, of_hooks, hooks, scripts
#   my ($round, @ids) = $story->round;            # three who will be asked for, and a bystander
#   $story->{slack}->type(...); $story->{serve}->crash; $story->alive(@ids)
package Story;
use strict;
use warnings;
use Cwd qw(abs_path);
use JSON::PP;
use Chat;
use Das qw(das wait_for);
use Herd;
use MariaDB;
use Serve;

# Who is who: alice may ask, bob and carol may decide, eve is known and may nothing; mallory is somebody in the chats whom
# das.lua does not know.
our %roles = (alice => ['dev'], bob => ['dba'], carol => ['dba'], eve => ['guest']);
my %ids = (slack => 'U0', feishu => 'ou_', dingtalk => 'staff-', wecom => '', teams => 'aad-', discord => '8035111', telegram => '7000', mattermost => 'mm');

sub id_of {
    my ($platform, $who) = @_;
    my $n = { alice => 1, bob => 2, carol => 3, eve => 4, mallory => 5 }->{$who};
    return $ids{$platform} . ($ids{$platform} =~ /^\d+$/ ? $n : $platform eq 'slack' ? uc $who : $who);
}

sub new {
    my ($class, %opt) = @_;
    my $self = bless { rounds => 0, members => 0, %opt }, $class;
    # before all else: their processes would keep open what others wait for the end of
    for my $kind (@{ $self->{chats} }) {
        require "Chat/$kind.pm";
        my $chat = "Chat::$kind"->new(people => { map { $_ => id_of(lc $kind, $_) } keys %roles, 'mallory' });
        $self->{ $chat->{name} } = $chat;
    }
    $self->{db} = MariaDB->new(args => [ '--general-log=1', '--general-log-file=general.log' ]);
    $self->{db}->sql('CREATE USER app@localhost; CREATE USER app2@localhost; CREATE USER other@localhost; CREATE USER das@localhost;'
        . ' GRANT PROCESS, CONNECTION ADMIN ON *.* TO das@localhost; CREATE DATABASE shop; CREATE TABLE shop.orders (id INT PRIMARY KEY);'
        . ' GRANT ALL ON shop.* TO app@localhost; INSERT INTO shop.orders VALUES (1), (2)');
    $self->{general_log} = "$self->{db}{dir}/data/general.log";
    $self->{herd} = Herd->new($self->{db}{socket});
    $self->{serve} = Serve->new(start => 0, instances => { orders => "mysql://das\@localhost/?socket=$self->{db}{socket}" });
    $_->meet($self->{serve}->base) for $self->chats;
    $self->make_keys;
    $self->write_config;
    return $self;
}

sub chats { my ($self) = @_; return map { $self->{ lc $_ } } @{ $self->{chats} } }

# Tokens for the page where links go.
sub make_keys {
    my ($self) = @_;
    my $s = $self->{serve};
    $self->{token} = { map { $_ => $s->make_token('--name', $_, '--actions', 'listApproval,decideApproval', '--instances', '*') } sort keys %roles };
    $self->{key} = { map { $_->{name} => $_->{id} } @{ decode_json(das($s->opt, 'token', 'list', '-o', 'json')->{out})->{tokens} } };
}

sub script { my ($self, $name) = @_; return abs_path("scripts/$name") // die "scripts/$name is not there\n" }

# What may be typed there: the scripts of hooks that come with das.
sub commands {
    my ($self, $chat) = @_;
    my %at = map { $_ => $self->script("hooks/$_.lua") } qw(preview kill status stop history);
    my $who = '{ name = "instance", type = "instance", required = true }, { name = "user" }, { name = "info" },'
        . ' { name = "time", type = "duration", default = "60s", min = 1 }';
    return qq{allow = { roles = { "dev", "dba", "guest" } }, commands = {
      preview = { script = "$at{preview}", params = { $who } },
      status = { script = "$at{status}" },
      history = { script = "$at{history}", params = { { name = "instance", type = "instance", required = true }, { name = "from", type = "duration", default = "1d" } } },
      kill = { script = "$at{kill}", allow = { roles = { "dev", "dba" } }, params = { $who, { name = "reason" },
        { name = "limit", type = "integer", default = 20, immutable = true }, { name = "kind", default = "connection", immutable = true },
        { name = "role", default = "dba", immutable = true }, { name = "need", type = "integer", default = 2, immutable = true },
        { name = "channel", default = "$chat->{name}", immutable = true } } }, @{[ $self->{commands} // '' ]}
    }};
}

sub write_config {
    my ($self, %opt) = @_;
    my $people = join ",\n    ", map {
        my $who = $_;
        "$who = { roles = { " . join(', ', map { "'$_'" } @{ $roles{$who} }) . " }, key = '$self->{key}{$who}'"
            . join('', map { ", $_->{name} = '" . $_->id($who) . "'" } $self->chats) . ' }';
    } sort keys %roles;
    my $hooks = join ",\n    ", (map { "$_->{name} = " . $_->hook($self->commands($_) . ($self->{of_hooks} // '')) } $self->chats), $self->{hooks} // ();
    my $channels = join ",\n    ", map { "$_->{name} = " . $_->channel } $self->chats;
    my $scripts = $self->{scripts} // '["*"] = { mode = "approve", grants = { "preview", "kill", "notify", "instance:*" } }';
    $self->{serve}->write_config(serve => qq{mode = "auto", url = "@{[$self->{serve}->base]}"}, more => <<"LUA");
  people = {
    $people
  },
  channels = {
    $channels
  },
  hooks = {
    $hooks
  },
  scripts = { $scripts },
LUA
}

# --- the database ------------------------------------------------------------------------------------------------

# Statements that run for a second and more: two of app, one of app2, one of other. Their ids, and below which number of
# the herd they began.
sub round {
    my ($self) = @_;
    my $n = ++$self->{rounds};
    my @ids = map { $self->{herd}->add($_, '', "SELECT SLEEP(900) /* round $n */") } qw(app app app2 other);
    my $list = join ',', @ids;
    wait_for(sub { $self->{db}->sql("SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE COMMAND = 'Query' AND TIME >= 1 AND ID IN ($list)") == 4 })
        or die 'the statements do not run';
    return @ids;
}

# Those whose statement still runs; and those who are still there.
sub alive { my ($self, @ids) = @_; return [ map { $self->{db}->sql("SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE COMMAND = 'Query' AND ID = $_") } @ids ] }
sub there { my ($self, @ids) = @_; return [ map { $self->{db}->sql("SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE ID = $_") } @ids ] }

sub move_on {
    my ($self, $id) = @_;
    $self->{db}->sql("KILL QUERY $id");
    wait_for(sub { !$self->alive($id)->[0] }) or die 'the statement goes on';
}

sub end_round { my ($self, @ids) = @_; for my $id (@ids) { eval { $self->{db}->sql("KILL $id") } } }

# What the server was asked by das since that mark: [command, text] each.
sub mark { my ($self) = @_; return -s $self->{general_log} }

sub asked_by_das {
    my ($self, $mark) = @_;
    open my $in, '<:raw', $self->{general_log} or die;
    my (%das, @asked);
    my ($at, $last) = (0, undef);
    while (my $line = <$in>) {
        $at += length $line;
        if ($line !~ /^(?:\d{6}\s+\d+:\d\d:\d\d)?\s+(\d+) (Connect|Query|Quit|Init DB|Prepare|Execute|Close stmt|Statistics|Ping|Change user|Reset stmt)\b\s?(.*)/s) {
            $last->[1] .= $line if $last;    # a statement of several lines
            next;
        }
        my ($id, $what, $text) = ($1, $2, $3);
        $das{$id} = 1 if $what eq 'Connect' && $text =~ /^das\@/;
        $last = undef;
        next if !$das{$id} || $at <= $mark;
        $last = [ $what, $text ];
        push @asked, $last;
    }
    chomp $_->[1] for @asked;
    return @asked;
}

sub kills { my ($self, $mark) = @_; return grep { $_->[1] =~ /\bKILL\b/ } $self->asked_by_das($mark // 0) }

# A statement without its values.
sub shape { my ($text) = @_; $text =~ s/x?'(?:[^'\\]|\\.|'')*'/?/gs; $text =~ s/\b\d+\b/?/g; $text =~ s/\?(?:\s*,\s*\?)+/?/g; $text =~ s/\s+/ /g; return $text }

# --- das ---------------------------------------------------------------------------------------------------------

sub das_json { my ($self, @args) = @_; my $r = das($self->{serve}->opt, @args, '-o', 'json'); return eval { JSON::PP->new->decode($r->{out}) } }

sub approval { my ($self, $id) = @_; return $self->das_json('approvals', 'show', $id) // {} }

sub journal { my ($self) = @_; return map { JSON::PP->new->decode($_) } split /\n/, das($self->{serve}->opt, 'audit', 'export')->{out} }

sub steps { my ($self, $id) = @_; return map { $_->{event} } grep { $_->{kind} eq 'approval' && ($_->{approval} // '') eq $id } $self->journal }

1;
