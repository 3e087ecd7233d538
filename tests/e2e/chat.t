#!/usr/bin/perl
# chat.t - what das sends, taken by platforms that check signatures and limits by themselves: nothing of it is refused, and
# people see what was meant; one that is busy once gets it a second time; one that is given a wrong secret says no.
use strict;
use warnings;
use lib 'tests/e2e/lib';
use File::Temp qw(tempdir);
use Test::More;
use Chat;
use Das;
use JSON::PP;

my $dir = tempdir('das-chat-XXXXXX', TMPDIR => 1, CLEANUP => 1);
my @kinds = qw(Slack Feishu DingTalk WeCom Teams Discord Telegram Mattermost);
my %edits = map { $_ => 1 } qw(slack feishu discord telegram);
my %secret = (slack => 'token', feishu => 'app_secret', dingtalk => 'robot_secret');
my %buttons = map { $_ => 1 } qw(slack feishu telegram mattermost);

sub config {
    my ($name, @chats) = @_;
    open my $out, '>', "$dir/$name.lua" or die;
    print $out "return { state = '$dir/$name.state', channels = { ", join(', ', map { "$_->{name} = " . $_->channel } @chats),
        " }, scripts = { ['*'] = { grants = { 'preview', 'instance:*', 'notify' } } } }\n";
    close $out;
    return { env => { DAS_CONFIG => "$dir/$name.lua" } };
}

sub script {
    my ($opt, $lua) = @_;
    open my $out, '>', "$dir/script.lua" or die;
    print $out $lua;
    close $out;
    return das($opt, 'run', '-i', 'mem:tests/samples/recording.jsonl', "$dir/script.lua");
}

for my $kind (@kinds) {
    require "Chat/$kind.pm";
    my $chat = "Chat::$kind"->new;
    my $name = $chat->{name};
    subtest $kind => sub {
        my $opt = config($name, $chat);
        my $buttons = $buttons{$name} ? 'buttons = { { label = "Go", value = "go:1" } },' : '';
        my $r = script($opt, <<"LUA");
local found = das.preview{ all = true }
print(select(2, assert(das.notify("$name", { title = "orders <b>&amp; [x](http://evil)", text = "<!channel> \@all <\@U1> *a* _b_ `c` 慢查询 </pre>",
  severity = "error", sessions = found, $buttons fields = { lag = "12 s", { "primary", "db1 & <db2>" } } }))))
LUA
        my ($id) = $r->{out} =~ /^(msg_\w+)$/m;
        ok($id, 'is sent') or diag explain $r;
        is_deeply([ $chat->faults ], [], 'and is taken as it is');
        my ($m) = $chat->messages;
        like($m->{text}, qr/orders <b>&amp; \[x/, 'its title') or diag $m->{text};
        like($m->{text}, qr/\x{6162}\x{67e5}\x{8be2}/, 'its text');
        like($m->{text}, qr/and \d+ more sessions/, 'sessions are counted');
        is_deeply([ map { $_->{label} } @{ $m->{buttons} } ], $buttons ? ['Go'] : [], $buttons ? 'its button' : 'no button');
        if ($edits{$name}) {
            $r = script($opt, qq{assert(das.notify("$name", { text = "it is over", update = "$id" }))});
            ($m) = $chat->messages;
            is($m->{edits}, 1, 'it is edited') or diag explain $r;
            like($m->{text}, qr/^it is over$/m, 'and is another one');
        }
        # the robots of DingTalk are the platform's that says it without a time, and then takes none for ten minutes
        if ($name ne 'dingtalk') {
            my $n = $chat->so_far;
            $chat->busy;
            script($opt, qq{assert(das.notify("$name", { text = "one too many" }))});
            my $found = Das::wait_for(sub {
                das($opt, 'notify', '--send');
                return $chat->so_far > $n;
            });
            ok($found && $chat->limited == 1, 'what is one too many comes after a while');
            is($chat->so_far, $n + 1, 'once');
        }
        is_deeply([ $chat->faults ], [], 'nothing was refused');
        return if !$secret{$name};
        my $wrong = config("$name-wrong", $chat);
        $chat->place($secret{$name} => 'SECwrong-secret-of-somebody');
        script($wrong, qq{das.notify("$name", { text = "with a wrong secret" })});
        is(scalar(my @refused = $chat->faults), 1, 'with a wrong secret it is refused');
        ok(!(grep { $_->{text} =~ /wrong secret/ } $chat->messages), 'and nobody sees it');
    };
}
done_testing;
