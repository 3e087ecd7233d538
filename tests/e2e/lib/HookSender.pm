# HookSender.pm - requests of chats and alerts with any body that a test wants, signed as the platforms of Chat/ do it: each is
# [headers, body] for post().
#
#   my $r = HookSender::post($serve, '/hooks/slack', HookSender::slack($secret, user_id => 'U1', text => 'preview orders'));
#   is($r->{status}, 200);
package HookSender;
use strict;
use warnings;
use HTTP::Tiny;
use JSON::PP;
use Chat;
use Chat::DingTalk;
use Chat::Feishu;
use Chat::Slack;
use Chat::Teams;

my $json = $Chat::json;
my $count = 0;
my $run = time . ".$$";
sub unique { return "$run." . ++$count }

sub post {
    my ($serve, $path, $sent, %opt) = @_;
    my ($headers, $body) = @$sent;
    my $r = HTTP::Tiny->new(timeout => 30)->request($opt{method} || 'POST', $serve->base . $path . ($opt{query} // ''),
        { headers => $headers, content => $body });
    $r->{json} = eval { $json->decode($r->{content}) };
    return $r;
}

sub form {
    my (%f) = @_;
    for (values %f) { utf8::encode($_) if utf8::is_utf8($_) }
    return Chat::form(map { [ $_ => $f{$_} ] } sort keys %f);
}

sub slack_signed { my ($secret, $body, $at) = @_; return [ Chat::Slack::signed($secret, $body, $at), $body ] }
sub slack {
    my ($secret, %f) = @_;
    return slack_signed($secret, form(command => '/das', channel_id => 'C1', trigger_id => unique(), %f));
}
sub slack_button {
    my ($secret, $user, $value, $url) = @_;
    my $payload = { type => 'block_actions', trigger_id => unique(), user => { id => $user, name => 'boss' }, channel => { id => 'C1' },
        response_url => $url, actions => [ { type => 'button', action_id => 'das:0', block_id => 'das', value => $value } ] };
    return slack_signed($secret, form(payload => $json->encode($payload)));
}

sub feishu {
    my ($o, $user, $text) = @_;
    my $body = Chat::Feishu::sealed($o->{key}, $json->encode({ schema => '2.0', header => { event_id => unique(), event_type => 'im.message.receive_v1', token => $o->{token} },
        event => { sender => { sender_type => 'user', sender_id => { open_id => $user } }, message => { message_id => 'om_' . unique(), chat_id => 'oc_chat1',
            message_type => 'text', content => $json->encode({ text => "\@_user_1 $text" }) } } }));
    return [ Chat::Feishu::signed($o->{key}, $body), $body ];
}
sub feishu_question {
    my ($o, $challenge) = @_;
    return [ {}, Chat::Feishu::sealed($o->{key}, $json->encode({ type => 'url_verification', challenge => $challenge, token => $o->{token} })) ];
}

sub dingtalk {
    my ($secret, $user, $text, $webhook, %f) = @_;
    my $at = int(time * 1000) + ++$count % 1000;
    my $body = $json->encode({ msgtype => 'text', text => { content => " $text" }, msgId => 'msg' . unique(), createAt => $at, conversationType => '2',
        conversationId => 'cid1', senderId => '$:x', senderStaffId => $user, senderNick => 'boss', isAdmin => JSON::PP::true,
        sessionWebhook => $webhook, sessionWebhookExpiredTime => (time + 5400) * 1000, %f });
    return [ { 'Content-Type' => 'application/json', timestamp => $at, sign => Chat::DingTalk::signed($secret, $at) }, $body ];
}

sub teams {
    my ($token, $user, $text) = @_;
    my $body = $json->encode({ type => 'message', id => unique(), text => "<at>das</at>&nbsp;$text", from => { id => '29:x', aadObjectId => $user, name => 'boss' },
        conversation => { id => '19:c' }, timestamp => Chat::Teams::iso() });
    return [ Chat::Teams::signed($token, $body), $body ];
}

sub alertmanager {
    my ($token, $alerts, %f) = @_;
    return [ { 'Content-Type' => 'application/json', Authorization => "Bearer $token" },
        $json->encode({ version => '4', groupKey => '{}:{alertname="x"}', truncatedAlerts => 0, status => 'firing', receiver => 'das', groupLabels => {},
            commonLabels => {}, commonAnnotations => {}, externalURL => 'http://am', alerts => $alerts, %f }) ];
}

1;
