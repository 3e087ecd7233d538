#!/usr/bin/perl
# hook_docs.t - what docs/hooks.md promises to who connects Slack for the first time: its das.lua, its request signed by hand with
# openssl and sent with curl, a server without any key, the addresses that it tells, and the words for who is not known.
use strict;
use warnings;
use Test::More;
use lib 'tests/e2e/lib';
use HTTP::Tiny;
use JSON::PP;
use Das qw(das wait_for);
use Serve;



my $page = Das::slurp('docs/hooks.md');
my ($config) = $page =~ /^```lua\n(return \{\n  people = .*?)^```/ms or die 'no das.lua in docs/hooks.md';
my ($request) = $page =~ /^```sh\n(.*?)^```/ms or die 'no request in docs/hooks.md';

# As it stands there, with secrets and the port of this test.
my $s = Serve->new(instances => { orders => '{ source = "mem:tests/samples/recording.jsonl", tags = { "prod" } }' }, keys => 0, start => 0);
my $dir = $s->{dir};
for my $secret ($config =~ m{"/etc/das/([\w-]+)"}g) {
    open my $out, '>', "$dir/$secret" or die;
    print $out "a-secret-of-$secret\n";
    close $out;
    chmod 0600, "$dir/$secret";
}
s{/etc/das/}{$dir/}g for $config, $request;
$request =~ s/127\.0\.0\.1:7070/127.0.0.1:$s->{port}/ or die 'the request goes elsewhere';
(my $more = $config) =~ s/\Areturn \{\n//;
$more =~ s/\n\}\n\z/\n/;
$s->write_config(more => $more, serve => 'url = "https://das.example.com/"');

my $checked = das($s->opt, 'check', $s->{config});
is($checked->{exit}, 0, 'das check finds nothing in the das.lua of the page') or diag explain $checked;
like($checked->{out}, qr{: hook slack: slack at https://das\.example\.com/hooks/slack: preview, status, stop; for alice, bob$}m, 'and lists its hooks');

ok(eval { $s->start; 1 }, 'das serve starts without any key') or diag $@;
my $told = Das::so_far($s->{run});
like($told, qr{^hook slack  https://das\.example\.com/hooks/slack$}m, 'it shows where Slack has to send to');
ok((grep { $_->{message} eq 'hook alerts takes alertmanager at https://das.example.com/hooks/alerts' } $s->log_lines), 'and the log has it') or diag $s->log;
unlike($s->log, qr/nothing is killed/, 'nobody is told of kills over an API that nobody can use');
is(HTTP::Tiny->new->get($s->base . '/readyz')->{status}, 200, 'it is ready');

# The request of the page, changed by what is given.
sub hand {
    my ($change) = @_;
    open my $out, '>', "$dir/x.sh" or die;
    print $out $change ? $change->($request) : $request;
    close $out;
    return scalar `sh $dir/x.sh 2>&1`;
}
my $answer = hand();
like(eval { decode_json($answer)->{text} } // $answer, qr/^preview: working on it\.$/, 'the request that is signed by hand');
ok(wait_for(sub { $s->log =~ /"message":"done in /, }, 30), 'its script ran');
$answer = hand(sub { $_[0] =~ s/U024BE7LH/UNOBODY/r });
is(eval { decode_json($answer)->{text} } // $answer, 'das does not know you. In people of das.lua it would be slack = "UNOBODY".', 'who is not there is told who that would be');
hand(sub { $_[0] =~ s/hmac "\$secret"/hmac "another"/r });
ok(wait_for(sub { grep { ($_->{fields}{result} // '') eq 'refused' && $_->{fields}{note} =~ /signature/ && $_->{fields}{status} == 401 } $s->log_lines }, 10),
    'another secret is 401, and the log has the reason') or diag $s->log;
hand(sub { $_[0] =~ s/date \+%s/date -d '1 hour ago' +%s/r });
ok(wait_for(sub { grep { ($_->{fields}{result} // '') eq 'refused' && $_->{fields}{note} =~ /time/ } $s->log_lines }, 10), 'so is an old one') or diag $s->log;
is($s->stop->{exit}, 0, 'it ends in order');
done_testing();
