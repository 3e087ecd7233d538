#!/usr/bin/perl
# chat_answers.t - where answers to people go: to the address that came with the request, as often and as long as the platform
# takes them there, then into the chat; at once, where there is no address; and once more, when a platform asks to wait.
use strict;
use warnings;
use lib 'tests/e2e/lib';
use File::Temp qw(tempdir);
use Test::More;
use Chat;
use Das qw(das wait_for);
use Serve;
use WebServer;

my $dir = tempdir('das-answers-XXXXXX', TMPDIR => 1, CLEANUP => 1);
my $gate = WebServer->new(handler => sub { return [ -e "$dir/open" ? 200 : 403, {}, '' ] });
my %ids = (slack => 'UALICE', feishu => 'ou_alice', telegram => '70001', mattermost => 'mmalice', dingtalk => 'staff-alice', wecom => 'alice',
    teams => 'aad-alice', discord => '80351');
my @chats = map { require "Chat/$_.pm"; "Chat::$_"->new(people => { alice => $ids{ lc $_ } }) } qw(Slack Feishu Telegram Mattermost DingTalk WeCom Teams Discord);
my %known = (%ids, feishu => "u$ids{feishu}");    # one is known by the second of the ids that a request has
my %chat = map { $_->{name} => $_ } @chats;

sub write_file { my ($name, $text) = @_; open my $out, '>', "$dir/$name" or die "$name: $!"; print $out $text; close $out; return "$dir/$name" }
my $say = write_file('say.lua', "local req = ...\nfor i = 1, req.args.n do\n  local good, why = req.reply(('answer %d of %d'):format(i, req.args.n))\n  if not good then print(why) end\nend\n");
my $slow = write_file('slow.lua', "local req = ...\nrepeat das.sleep(0.05) until das.http.get('http://127.0.0.1:$gate->{port}/').status == 200\nreq.reply('the slow one is done')\n");

my $forever = write_file('forever.lua', "while true do das.sleep(60) end\n");
my $begin = write_file('begin.lua', "local req = ...\nassert(req.runbook('$dir/book.lua', { instance = 'orders' }))\nreq.reply('it is begun')\n");
write_file('book.lua', "das.runbook{ name = 'book' }\ndas.step('look', function() return #das.instance('orders'):preview{ all = true } end)\n");

my $s = Serve->new(start => 0, instances => { orders => 'mem:tests/samples/recording.jsonl' });
$_->meet($s->base) for @chats;
my $commands = qq{allow = { users = { "alice" } }, commands = { slow = { script = "$slow" }, begin = { script = "$begin" }, forever = { script = "$forever" },
  say = { script = "$say", params = { { name = "n", type = "integer", default = 1, min = 1, max = 30 } } } }};
my %more = (slack => "channel = 'slack', ", wecom => "timeout = '1s', ");
$s->write_config(serve => 'mode = "auto", hook_workers = 1', more => "people = { alice = { roles = { 'dba' }, " . join(', ', map { "$_ = '$known{$_}'" } sort keys %known) . " } },\n"
    . 'channels = { ' . join(', ', map { "$_->{name} = " . $_->channel } @chats) . " },\n"
    . 'hooks = { ' . join(', ', map { "$_->{name} = " . $_->hook(($more{ $_->{name} } // '') . $commands) } @chats) . " },\n"
    . "scripts = { ['*'] = { grants = { 'preview', 'instance:*', 'runbook', 'http:127.0.0.1' } } },\n");
$s->start;

sub answers { my ($c, $from) = @_; return grep { $_->{n} >= $from && $_->{text} =~ /^answer \d+ of/m } $c->messages }

# So many answers come, in their order. Those for her alone, and those that all see.
sub ask {
    my ($c, $n, %opt) = @_;
    my $from = $c->so_far;
    $c->type(alice => "say $n", %opt);
    wait_for(sub { answers($c, $from) >= $n }, 30);
    my @got = answers($c, $from);
    is_deeply([ map { $_->{text} =~ /^answer (\d+) of/m ? $1 : '' } @got ], [ 1 .. $n ], "$c->{name}: $n answers, in their order") or diag substr $s->log, -2000;
    return ([ grep { $_->{only} } @got ], [ grep { !$_->{only} } @got ]);
}
sub no_faults { my ($c) = @_; is_deeply([ $c->faults ], [], "$c->{name}: nothing of it was refused") }

# --- so often, then into the chat --------------------------------------------------------------------------------

for my $name (qw(slack mattermost)) {
    my $c = $chat{$name};
    my ($alone, $open) = ask($c, 7);
    is(@$alone, 5, "$name: five of them to the address, for her alone");
    is(@$open, 2, "$name: what is more comes into the chat");
    no_faults($c);
}

{
    my $c = $chat{discord};
    my ($alone, $open) = ask($c, 7);
    like($alone->[0]{id}, qr/^o/, 'discord: the first takes the place of what stood for it');
    is_deeply([ map { substr $_->{id}, 0, 1 } @$alone ], [qw(o f f f f)], 'discord: the others follow, for her alone');
    is(@$open, 2, 'discord: what is more comes into the channel');
    no_faults($c);
}

{
    my $c = $chat{dingtalk};
    my (undef, $open) = ask($c, 3);
    is((grep { $_->{answer} } @$open), 3, 'dingtalk: to the session webhook');
    (undef, $open) = ask($c, 2, lives => -5);
    is((grep { $_->{answer} } @$open), 0, 'dingtalk: when its time is over, by the robot');
    no_faults($c);
}

# --- no address --------------------------------------------------------------------------------------------------

for my $name (qw(feishu telegram wecom)) {
    my $c = $chat{$name};
    my (undef, $open) = ask($c, 2);
    is(@$open, 2, "$name: into the chat");
    no_faults($c);
}

subtest 'feishu: a token that is none any more' => sub {
    my $c = $chat{feishu};
    my $before = $c->logins;
    ask($c, 2);
    is($c->logins, $before, 'the token is kept');
    $c->new_tenant_token;
    ask($c, 1);
    is($c->logins, $before + 1, 'another is fetched when the platform says so');
    no_faults($c);
};

subtest 'in the chat it was asked in, and no other' => sub {
    my $c = $chat{feishu};
    my $from = $c->so_far;
    $c->type(alice => 'begin', chat => 'oc_another');
    my @said = map { $c->wait_for(alice => $_, $from) } qr/it is begun/, qr/Runbook \d+ \(book\.lua on orders\) is done/;
    is_deeply([ map { $_ && $_->{chat} } @said ], [ 'oc_another', 'oc_another' ], 'the answer, and what becomes of a runbook') or diag substr $s->log, -2000;
    no_faults($c);
};

subtest 'a script has the time that its hook gives it' => sub {
    my $c = $chat{wecom};
    my $from = $c->so_far;
    $c->type(alice => 'forever');
    ok($c->wait_for(alice => qr/^forever failed: /m, $from), 'and is told when it is over') or diag substr $s->log, -2000;
};

subtest 'no more than twenty' => sub {
    my $c = $chat{telegram};
    my $from = $c->so_far;
    $c->type(alice => "say $_") for 25, 1;
    ok($c->wait_for(alice => qr/^answer 1 of 1$/m, $from), 'one after the other');
    is((grep { $_->{n} >= $from && $_->{text} =~ /of 25/ } $c->messages), 20, 'answers to one request');
};

subtest 'teams: at once, or by the workflow' => sub {
    my $c = $chat{teams};
    my $r = $c->type(alice => 'say 1');
    like($r->{shown}, qr/answer 1 of 1/, 'what is done in time is in the answer');
    $r = $c->type(alice => 'slow');
    like($r->{shown}, qr/slow: working on it/, 'what is not in time is to come');
    my $from = $c->so_far;
    write_file('open', '');
    ok($c->wait_for(alice => qr/the slow one is done/, $from), 'by the workflow');
    is((grep { $_->{text} =~ /the slow one is done/ } $c->messages), 1, 'once');
    no_faults($c);
};

# --- when the platform says no -----------------------------------------------------------------------------------

subtest 'an address that the platform has done away with' => sub {
    for my $name (qw(slack mattermost discord)) {
        my $c = $chat{$name};
        $c->forget_places;
        my (undef, $open) = ask($c, 2);
        is(@$open, 2, "$name: into the chat, in place of it");
        is_deeply([ $c->faults ], ['an address for answers that is none'], "$name: and it is asked once");
    }
};

subtest 'too many' => sub {
    my $c = $chat{telegram};
    $c->busy;
    ask($c, 1);
    is($c->limited, 1, 'once more, after as long as it says');
    my $d = $chat{dingtalk};
    $d->busy(600);
    my (undef, $open) = ask($d, 1);
    is($d->limited, 1, 'who wants to be left alone for longer than anybody waits is');
    is((grep { $_->{answer} } @$open), 0, 'and it comes by the robot');
};

is($s->stop->{exit}, 0, 'das serve ends');
unlike($s->{last}{err}, qr{/response/\w|/hooks/commands/\w|/api/v10/webhooks/\d+/\w|sendBySession\?session=\w}, 'its log has none of the addresses');
done_testing();
