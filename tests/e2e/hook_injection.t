#!/usr/bin/perl
# hook_injection.t - what people may type into a chat to make das do something else: SQL, shell, Lua, options of das, other
# people's names, other platforms' markup. It goes through the platform's signature and das serve to a real database; the
# server's own log shows that das asked nothing but what it asks for an honest preview.
use strict;
use warnings;
use utf8;
use lib 'tests/e2e/lib';
use Test::More;
use Das qw(das wait_for);
use MariaDB;
use Story;

plan skip_all => MariaDB::missing() if MariaDB::missing();

my $story = Story->new(chats => [qw(Slack Feishu WeCom Teams Discord)]);
my $s = $story->{serve};
my $db = $story->{db};
$s->start;
my @ids = $story->round;
my $marker = "$s->{dir}/injected";

# Until nothing of it is under way: one job after the other, so the answer to the last one is the end of all before it.
sub settle {
    my ($chat) = @_;
    my $n = $chat->so_far;
    $chat->type(alice => 'preview orders user=nobody time=1 info=settle');
    ok($chat->wait_for(alice => qr/\b0 sessions/, $n), 'das still answers') or diag substr $s->log, -2000;
}

# --- what honest questions look like to the server ---------------------------------------------------------------

my $mark = $story->mark;
my $slack = $story->{slack};
for my $line ('preview orders', 'preview orders user=app% time=1', 'preview orders user=app info="select~sleep" time=2m', 'preview orders info=x time=1',
    'preview orders user=app% info=x') {
    my $n = $slack->so_far;
    $slack->type(alice => $line);
    ok($slack->wait_for(alice => qr/\d+ sessions?/, $n), "honest: $line") or diag substr $s->log, -2000;
}
my %honest = map { Story::shape("$_->[0] $_->[1]") => 1 } $story->asked_by_das($mark);
ok(scalar keys %honest, 'the server has been asked');

# --- what is not honest ------------------------------------------------------------------------------------------

my @corpus = (
    # SQL
    q{preview orders user="' OR '1'='1"}, q{preview orders user="app'; DROP TABLE shop.orders; -- "}, q{preview orders user="\\\\' OR 1=1 -- "},
    q{preview orders info="x') UNION SELECT 1 INTO OUTFILE '} . $marker . q{' -- "}, q{preview orders user="app%' AND SLEEP(5) AND '1'='1"},
    q{preview orders user="%\\\\"}, q{preview orders user="¿' OR 1=1 #"}, q{preview orders user="縗' OR 1=1 -- "},
    q{preview orders user="/*!50000 KILL 1 */"}, q{preview orders info="*/ KILL 6 /*"}, q{preview orders user=app'--}, q{preview orders user=app;KILL 6},
    q{preview orders; DROP TABLE shop.orders}, q{preview orders time="1; KILL 6"}, q{preview orders time=1e9}, q{preview orders time=-1},
    q{preview orders time=0x10}, q{preview orders time=99999999999999999999}, q{preview orders user=x'27204f5220313d31'},
    # a shell
    "preview orders user=\$(touch $marker)", "preview orders user=`touch $marker`", "preview orders info=\"; touch $marker\"", "preview orders | touch $marker",
    "preview orders && touch $marker", "preview orders > $marker", "preview orders\ntouch $marker", "preview orders user=\"\$(touch $marker)\"",
    'preview orders user=${HOME}', 'preview orders user=~root', 'preview ../../etc/passwd', 'preview orders user=%00app', "preview orders user=\"a\x{0}b\"",
    # Lua
    'preview orders user="]] os.execute([[touch ' . $marker . ']] )--"', "preview orders user=\"' .. os.execute('touch $marker') .. '\"",
    'preview orders info="\\27\\76ua"', 'preview orders user="%q%s%n%d"', 'preview orders info="(((((((((((((((((((((((((((((((a+)+)+)+"', 'preview orders user="__index"',
    'preview orders __index=1', 'preview orders user="" info="" time=1 user=""',
    # das itself
    'preview orders --apply', 'preview -i orders', 'preview orders all=true', 'preview orders kill=connection', 'kill orders', 'kill all=true',
    'kill orders user=app% channel=other', 'kill orders user=app% need=0', 'kill orders user=app% approvers=alice', 'kill orders user=app% mode=auto',
    'kill other user=app%', 'kill "*" user=app%', 'kill tag:prod user=app%', "kill mysql://root\@localhost/?socket=$db->{socket} user=app%",
    "kill file:/etc/passwd user=app%", "preview mem:/etc/passwd", 'run /etc/passwd', 'apply', 'approve', 'das preview orders', 'PREVIEW orders', 'help; kill orders',
    'preview orders instance=other', 'preview orders orders orders orders orders orders orders orders', 'preview', '', '"', '\\', '=', '==', 'a=b', 'preview orders user=',
    'preview orders user="unclosed', 'preview orders "', 'preview orders user=app"%"', 'preview orders =app', 'preview orders user==app',
    # what is seen as something else
    "preview orders user=\x{202e}ppa", "preview orders user=\"app\x{200b}\"", "preview orders user=\"\x{feff}app\"", "\x{200b}kill orders user=app%", "ｋｉｌｌ orders user=app%",
    "kill\x{a0}orders user=app%", 'kill orders user=app% time=１', "preview orders user=\x{201c}app\x{201d}",
    # markup
    '<@U0BOB> kill orders user=app%', '<!channel> preview orders', 'preview orders user="<@U0BOB>"', '&amp;kill orders', '<at>bob</at> approve', '@bob kill orders',
    '{"text":"kill orders user=app%"}', '&user_id=U0BOB&text=kill', ']]><Content>kill</Content><![CDATA[', '"}],"user":{"id":"U0BOB"},"x":[{"y":"',
    # length
    'preview orders user=' . 'a' x 600, 'preview orders ' . 'a=b ' x 100, 'preview orders user="' . 'é' x 300 . '"', 'x' x 3000,
);

for my $chat ($story->chats) {
    subtest $chat->{name} => sub {
        my $mark = $story->mark;
        my (@wrong, @kinds);
        for my $line (@corpus) {
            my $r = $chat->type(alice => $line);
            push @wrong, "$r->{status}: $line" if $r->{status} !~ /^(200|204|400)$/;
        }
        is_deeply(\@wrong, [], 'each is answered, or was none that the platform could have sent');
        settle($chat);
        my @odd = grep { !$honest{ Story::shape("$_->[0] $_->[1]") } } $story->asked_by_das($mark);
        is_deeply(\@odd, [], 'the server was asked nothing but what honest people ask') or diag explain [ sort keys %honest ];
        is(scalar($story->kills($mark)), 0, 'and to kill nobody');
    };
}

is_deeply($story->alive(@ids), [ 1, 1, 1, 1 ], 'nobody has died');
is($db->sql('SELECT COUNT(*) FROM shop.orders'), 2, 'the table is as it was');
ok(!-e $marker, 'nothing was run');
is_deeply([ grep { $_->{kind} =~ /^(?:intent|outcome|apply)$/ } $story->journal ], [], 'the journal has no kill');
is_deeply([ map { my $c = $_; map { "$c->{name}: $_" } $c->faults } $story->chats ], [], 'no platform was sent what it would not take');
is(das($s->opt, 'audit', 'verify')->{exit}, 0, 'the journal is whole');

# --- who one says one is -----------------------------------------------------------------------------------------

subtest 'names' => sub {
    my $mark = $story->mark;
    for my $chat ($story->chats) {
        my $n = $chat->so_far;
        my $r = $chat->type(mallory => 'preview orders user=app% time=1', display => 'alice');
        ok($chat->wait_for(mallory => qr/does not know you/, $n), "$chat->{name}: who is only called alice is nobody") or diag explain $r;
        is($chat->type(alice => 'preview orders user=app% time=1', secret => $chat->{name} eq 'teams' ? 'bm90IHRoZSBzZWNyZXQ=' : 'not the secret')->{status}, 401,
            'and what is signed by somebody else is none') if $chat->{name} ne 'discord';
        is($chat->type(alice => 'preview orders user=app% time=1', at => time - 4000)->{status}, 401, 'nor what is old');
    }
    is(scalar($story->asked_by_das($mark)), 0, 'the server was not asked anything');
};

$story->end_round(@ids);
done_testing;
