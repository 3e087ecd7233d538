#!/usr/bin/perl
# story.t - a kill from the first question to the last word, in chats: somebody previews, asks, two others approve, das serve
# dies in between, exactly the previewed sessions die, and everybody sees who decided what. The platforms are those of
# tests/e2e/lib/Chat, which sign and check without any of das's code; the database is a real one.
use strict;
use warnings;
use lib 'tests/e2e/lib';
use HTTP::Tiny;
use Test::More;
use Das qw(das wait_for);
use MariaDB;
use Story;

plan skip_all => MariaDB::missing() if MariaDB::missing();

my $story = Story->new(chats => [qw(Slack Feishu Telegram Mattermost DingTalk WeCom Teams Discord)]);
my $s = $story->{serve};
my ($db, $serve_url) = ($story->{db}, $s->base);
$s->start;

sub outcome_of { my ($id) = @_; return $story->approval($id)->{state} // '' }
sub state_is { my ($id, $state, $what) = @_; my $ok = wait_for(sub { outcome_of($id) eq $state }, 30);
    ok($ok, $what) or diag explain $story->approval($id), substr $s->log, -3000; return $ok }

# What somebody is told after what he did, besides what was said before.
sub told {
    my ($chat, $who, $like, $from, $what) = @_;
    my $m = $chat->wait_for($who, $like, $from);
    ok($m, $what) or diag join "\n--\n", (map { ($_->{only} // 'all') . ": $_->{text}" } grep { $_->{n} >= $from } $chat->messages), substr $s->log, -3000;
    return $m // { text => '', buttons => [] };
}

sub says { my ($chat, $who, $text, $like, $what) = @_; my $n = $chat->so_far; $chat->type($who, $text); return told($chat, $who, $like, $n, $what) }

# --- the question, and the request -------------------------------------------------------------------------------

# Preview, then ask: the message with the request, its id, and the ids of the four.
sub request {
    my ($chat) = @_;
    my @ids = $story->round;
    my $mark = $story->mark;
    my $m = says($chat, alice => 'preview orders user=app% time=1', qr/\b$ids[0]\b/, 'alice sees who it would be');
    like($m->{text}, qr/\b$_\b/, 'all of them') for @ids[1, 2];
    unlike($m->{text}, qr/\b$ids[3]\b/, 'and nobody else');
    is(scalar($story->kills($mark)), 0, 'a preview kills nobody');
    my $n = $chat->so_far;
    $chat->busy if $chat->{name} ne 'dingtalk';
    $chat->type(alice => 'kill orders user=app% time=1 reason="they block the report"');
    my $ask = told($chat, bob => qr/Approval wanted: kill 3 sessions on orders/, $n, 'her request is shown to all');
    like($ask->{text}, qr/they block the report/, 'with why');
    like($ask->{text}, qr{asked by\W+alice}, 'who') or diag $ask->{text};
    like($ask->{text}, qr/\b$_\b/, 'and whom') for @ids[0 .. 2];
    my ($id) = $ask->{text} =~ /das approve ([0-9a-f]{12})/;
    ok($id, 'and its id');
    is_deeply($story->alive(@ids), [ 1, 1, 1, 1 ], 'nobody has died');
    return ($ask, $id // 'none', @ids);
}

sub at_the_end {
    my ($chat, $id, $ask, $mark, @ids) = @_;
    is_deeply($story->there(@ids), [ 0, 1, 0, 1 ], 'exactly those who were asked for have died, but the one that moved on');
    my @kills = $story->kills($mark);
    is(scalar @kills, 2, 'two kills') or diag explain \@kills;
    my $request = $story->approval($id);
    is($request->{report}{killed}, 2, 'the report counts them');
    my @steps = $story->steps($id);
    is_deeply([ grep { $_ ne 'refused' } @steps ], [qw(requested vote vote claimed applied)], 'every step is in the journal') or diag "@steps";
    is(das($s->opt, 'audit', 'verify')->{exit}, 0, 'which is whole');
    my $list = das($s->opt, 'audit', 'list')->{out};
    like($list, qr/\bapproval\b/, 'das audit list shows it');
    my $history = sub { return $s->ask(GET => $s->flow('orders', 'query-kill-process-history'), undef, query => [ [ end_time => (time + 10) * 1000 ],
        [ page_num => 1 ], [ page_size => 50 ], [ start_time => (time - 3600) * 1000 ] ])->{json}{killed_sessions} || [] };
    ok(wait_for(sub { my %had = map { $_->{session_id} => 1 } @{ $history->() }; $had{ $ids[0] } && $had{ $ids[2] } }), 'and so does the history')
        or diag explain $history->();
    says($chat, alice => 'history orders from=1h', qr/session $ids[0] of app,[^\n]*(?s:.*)session $ids[2] of app2|session $ids[2] of app2,[^\n]*(?s:.*)session $ids[0] of app/, 'also in the chat');
    is_deeply([ $chat->faults ], [], "nothing that das sent was refused by $chat->{name}");
    $story->end_round(@ids);
}

# --- with buttons ------------------------------------------------------------------------------------------------

sub with_buttons {
    my ($chat) = @_;
    my $mark = $story->mark;
    my ($ask, $id, @ids) = request($chat);
    is_deeply([ map { $_->{label} } @{ $ask->{buttons} } ], [qw(Approve Reject)], 'two buttons') or return;
    my ($value) = map { ref $_->{value} ? $_->{value}{das} : $_->{value} } @{ $ask->{buttons} };
    like($value, qr/^das:approval:$id:[0-9a-f]{12}:y$/, 'with nothing but the id and the hash of the plan');

    my $press = sub {
        my ($who, $like, $what, %opt) = @_;
        my $n = $chat->so_far;
        my $r = $chat->press($who, $ask, 'Approve', %opt);
        told($chat, $who, $like, $n, $what);
        return $r;
    };
    $press->(alice => qr/asked for it: somebody else has to decide/, 'alice, who asked, is refused and told');
    $press->(eve => qr/not among those who may decide|may not/, 'so is eve, who may not decide');
    $chat->press(mallory => $ask, 'Approve', display => 'carol');
    $chat->press(bob => $ask, 'Approve', secret => 'another secret');
    is(scalar @{ $story->approval($id)->{votes} || [] }, 0, 'nor does somebody count who is only called carol, nor what is signed by somebody else');

    $press->(bob => qr/counted: 1 of 2/, 'bob says yes');
    my $of_bob = $chat->{last};
    # the message as it stands now: itself, or where none can be edited the last one about it
    my $now = sub { my ($like) = @_; return $chat->edits ? $chat->find($ask->{id}) : (grep { $_->{id} && $_->{text} =~ $like } reverse $chat->messages)[0] // $ask };
    my $of = qr/kill 3 sessions on orders/;
    ok(wait_for(sub { $now->($of)->{text} =~ /bob\s+yes|approved by bob/ }), 'the message shows it') or diag $now->($of)->{text};
    ok($chat->find($ask->{id})->{edits} > 0, 'it was edited') if $chat->edits;
    is(scalar @{ $now->($of)->{buttons} }, 2, 'with buttons for the others');

    is($s->crash->{exit}, 'signal 9', 'das serve dies');
    $story->move_on($ids[1]);
    $s->start;
    my $r = $chat->replay($of_bob);
    is($r->{status}, 200, 'a replayed press is taken as one that was there') or diag $r->{body};
    $press->(bob => qr/one vote each/, 'bob is told that he has said so, also after the restart');
    is(scalar @{ $story->approval($id)->{votes} || [] }, 1, 'one vote is counted');
    is_deeply($story->there(@ids), [ 1, 1, 1, 1 ], 'nobody has died');

    $press->(carol => qr/approved: the plan is carried out now/, 'carol says yes');
    my $of_carol = $chat->{last};
    state_is($id, 'applied', 'das carries it out');
    my $over = qr/approved by bob, carol; 2 killed/;
    ok(wait_for(sub { $now->($over)->{text} =~ $over }), 'the message shows who decided, and the outcome') or diag explain $now->($over);
    my $last = $now->($over);
    like($last->{text}, qr/1 (?:changed|gone)/, 'and who was spared');
    is_deeply($last->{buttons}, [], 'and has no buttons any more');

    my $kills = $story->kills($mark);
    $press->(carol => qr/it was approved at .* already/, 'a second click is refused and told');
    $chat->replay($of_carol);
    $press->(bob => qr/it was approved at .* already/, 'a forwarded one, too', chat => $chat->{name} eq 'telegram' ? -100999 : 'C0ELSEWHERE', value => $value);
    is($chat->press(carol => $ask, 'Approve', at => time - 400)->{status}, 401, 'one that is old is none') if $chat->knows_time;
    is(scalar($story->kills($mark)), $kills, 'nobody is killed by any of these');
    at_the_end($chat, $id, $ask, $mark, @ids);
}

subtest $_ => sub { with_buttons($story->{ lc $_ }) } for qw(Slack Feishu Telegram Mattermost);

# --- with links --------------------------------------------------------------------------------------------------

sub with_links {
    my ($chat) = @_;
    my $mark = $story->mark;
    my ($ask, $id, @ids) = request($chat);
    is_deeply($ask->{buttons}, [], 'no buttons');
    my %link = map { /page of (\w+)\W+(http\S+\/approvals\/[0-9a-f]{48})/ ? ($1 => $2) : () } split /\n/, $ask->{text} =~ s/(page of \w+)\n/$1 /gr;
    is_deeply([ sort keys %link ], [qw(bob carol)], 'but a link for each who may decide') or diag($ask->{text}), return;
    my $http = HTTP::Tiny->new(timeout => 60);
    my $decide = sub {
        my ($who, $as) = @_;
        my $page = $http->get($link{$who})->{content};
        my %form = map { $page =~ /name="$_" value="(\w+)"/ ? ($_ => $1) : () } qw(form plan);
        return $http->post_form($link{$who}, { %form, token => $story->{token}{$as}, decision => 'approve' });
    };
    is($decide->('bob', 'alice')->{status}, 403, 'alice, who asked, cannot use the link of bob');
    is($decide->('bob', 'bob')->{status}, 200, 'bob can');
    is($s->crash->{exit}, 'signal 9', 'das serve dies');
    $story->move_on($ids[1]);
    $s->start;
    is($decide->('bob', 'bob')->{status}, 410, 'his link was used');
    is($decide->('carol', 'bob')->{status}, 403, 'and the link of carol is not his');
    is($decide->('carol', 'carol')->{status}, 200, 'carol says yes');
    state_is($id, 'applied', 'das carries it out');
    told($chat, bob => qr/approved by bob, carol; 2 killed/, 0, 'the chat hears who decided, and the outcome');
    is($decide->('carol', 'carol')->{status}, 410, 'her link was used, too');
    at_the_end($chat, $id, $ask, $mark, @ids);
}

subtest $_ => sub { with_links($story->{ lc $_ }) } for qw(DingTalk WeCom Teams Discord);

done_testing;
