#!/usr/bin/perl
# notify_page.t - a message that is too long for its channel has a link to a page of das serve with all of it; who has not
# the whole link sees nothing.
use strict;
use warnings;
use lib 'tests/e2e/lib';
use Test::More;
use Chat;
use Chat::Slack;
use Das qw(das wait_for);
use HTTP::Tiny;
use JSON::PP;
use Serve;

my $chat = Chat::Slack->new(people => {});
my $dir = $chat->{dir};
sub write_file { my ($path, $text) = @_; open my $out, '>', $path or die "$path: $!"; print $out $text; close $out or die; return $path }

my @sessions = map { { id => $_, user => "app<$_>", host => "10.0.0.1:$_", db => 'shop', command => 'Query', state => '', sql_info => "select '<b>$_</b>'", state_duration => 100 + $_ } } 101 .. 130;
my $list = write_file("$dir/list.jsonl", encode_json({ data_sync_time => 1764000000, total_count => 30, processes => \@sessions }) . "\n");
my $s = Serve->new(start => 0, instances => { orders => "mem:$list" });
my $script = write_file("$dir/tell.lua", <<'LUA');
local most = tonumber((...))
local found = das.preview{ command = "Query" }
print(das.notify("slack", { title = "Busy <script>alert(1)</script>", text = "all of them", fields = { a = "<i>" }, sessions = found:oldest(most) }))
print(das.notify("slack", { title = "Words", text = ("long "):rep(500) .. "END" }))
LUA
my $more = "channels = { slack = " . $chat->channel . ' }, scripts = { ["*"] = { grants = { "preview", "notify", "instance:*" } } },';
$s->write_config(serve => 'mode = "observe"', more => $more);
is(das($s->opt, 'run', '-i', 'orders', $script, 30)->{exit}, 0, 'without serve.url');
my $m = $chat->wait_for(bob => qr/Busy/);
unlike($m->{text}, qr{/messages/}, 'there is no link');
like($m->{text}, qr/20 more/, 'what does not fit is counted');

$s->write_config(serve => 'mode = "observe", url = "' . $s->base . '/"');
my $from = $chat->so_far;
is(das($s->opt, 'run', '-i', 'orders', $script, 30)->{exit}, 0, 'with it');
$m = $chat->wait_for(bob => qr/Busy/, $from);
like($m->{text}, qr/20 more/, 'it is cut as well');
my ($link) = $m->{text} =~ m{(http://\S+/messages/[\w.]+)};
ok($link, 'and has a link') or BAIL_OUT($m->{text});
like(($chat->wait_for(bob => qr/Words/, $from) || {})->{text} // '', qr{/messages/msg_}, 'a long text, too');
$from = $chat->so_far;
is(das($s->opt, 'run', '-i', 'orders', $script, 10)->{exit}, 0, 'one that fits');
unlike($chat->wait_for(bob => qr/Busy/, $from)->{text}, qr{/messages/}, 'has none');

$s->start;
my $http = HTTP::Tiny->new;
my $page = $http->get($link);
is($page->{status}, 200, 'the page is there');
is($page->{headers}{'content-type'}, 'text/html; charset=utf-8', 'as HTML');
is(scalar(() = $page->{content} =~ /<tr><td>1\d\d</g), 30, 'with all sessions');
like($page->{content}, qr/app&#60;117&#62;/, 'whose texts are no markup');
unlike($page->{content}, qr/<script>|<i>|<b>1/, 'nor is any other');
unlike($page->{content}, qr/select '/, 'statements are shapes');
(my $other = $link) =~ s/(.)$/$1 eq '0' ? '1' : '0'/e;
is($http->get($other)->{status}, 404, 'another key opens nothing');
(my $short = $link) =~ s/\..{32}$//;
is($http->get($short)->{status}, 404, 'nor does the id alone');
is($http->post("$link", { content => '' })->{status}, 405, 'it can be looked at, no more');
my ($secret) = $link =~ m{messages/(\S+)};
ok(wait_for(sub { $s->log =~ m{"status":405.*/messages/\.\.\.} }), 'the log says that somebody looked');
unlike($s->log, qr/\Q$secret\E/, 'and does not tell the link');
$s->stop;
is_deeply([ $chat->faults ], [], 'Slack takes it all');
done_testing;
