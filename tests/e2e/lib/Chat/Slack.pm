# Slack.pm - Slack: slash commands, buttons, chat.postMessage, chat.update and response_url, as a signed app has them.
package Chat::Slack;
use strict;
use warnings;
use parent -norequire, 'Chat';
use Chat;
use Digest::SHA qw(hmac_sha256_hex);

my $ROOM = 'C024BE91L';

sub set_up {
    my ($self) = @_;
    $self->{secret} = Chat::random_hex(16);
    $self->{token} = 'xoxb-' . Chat::random_hex(12);
}

sub channel {
    my ($self) = @_;
    return "{ kind = 'slack', token = " . $self->place(token => $self->{token}) . ", channel = '$ROOM', endpoint = '$self->{url}/api',"
        . ' insecure = true, rate = 6000 }';
}

sub hook {
    my ($self, $more) = @_;
    return "{ platform = 'slack', path = '$self->{path}', verify = { secrets = " . $self->place(secret => $self->{secret})
        . " }, insecure = true, reply_hosts = { '127.0.0.1:$self->{web}{port}' }, channel = 'slack', $more }";
}

# --- what das sends ----------------------------------------------------------------------------------------------

sub plain { my ($t) = @_; my $text = $t->{text}; if ($t->{type} eq 'mrkdwn') { s/&lt;/</g, s/&gt;/>/g, s/&amp;/&/g for $text } return $text }

my %KNOWN = map { $_ => 1 } qw(text blocks parse link_names unfurl_links unfurl_media channel ts thread_ts response_type replace_original);

# A word for what Slack would not take, or undef; and what people see.
sub read_message {
    my ($m) = @_;
    my (@lines, @buttons, %ids);
    my @blocks = @{ $m->{blocks} || [] };
    my ($other) = grep { !$KNOWN{$_} } sort keys %$m;
    return ("invalid_arguments: $other") if $other;
    return ('link_names or unfurls') if $m->{link_names} || $m->{unfurl_links} // 1 || $m->{unfurl_media} // 1 || ($m->{parse} // '') ne 'none';
    return ("mention: $m->{text}") if $m->{text} =~ /<[!@#]/;
    return ('no_text') if !length($m->{text} // '') && !@blocks;
    return ('invalid_blocks: ' . @blocks) if @blocks > 50;
    for my $b (@blocks) {
        return ("invalid_blocks: type " . ($b->{type} // '')) if ($b->{type} // '') !~ /^(?:header|section|context|actions)$/ || length($b->{block_id} // '') > 255;
        return ('invalid_blocks: a header is plain text') if $b->{type} eq 'header' && $b->{text}{type} ne 'plain_text';
        return ('invalid_blocks: fields') if $b->{fields} && (@{ $b->{fields} } > 10 || !@{ $b->{fields} });
        my @texts = grep { ref } $b->{text}, @{ $b->{fields} || [] }, $b->{type} eq 'context' ? @{ $b->{elements} } : ();
        for my $t (@texts) {
            return ("invalid_blocks: text of type " . ($t->{type} // '')) if ($t->{type} // '') !~ /^(plain_text|mrkdwn)$/;
            my $most = $b->{type} eq 'header' ? 150 : $b->{fields} ? 2000 : 3000;
            return ("invalid_blocks: $b->{type} of " . length $t->{text}) if length $t->{text} > $most || !length $t->{text};
            return ("mention: $t->{text}") if $t->{type} eq 'mrkdwn' && $t->{text} =~ /<[!@#]/;
            push @lines, plain($t);
        }
        next if $b->{type} ne 'actions';
        return ('invalid_blocks: elements') if @{ $b->{elements} } > 25 || !@{ $b->{elements} };
        for my $e (@{ $b->{elements} }) {
            return ('invalid_blocks: button') if $e->{type} ne 'button' || $e->{text}{type} ne 'plain_text' || !length $e->{text}{text} || ($e->{style} // 'primary') !~ /^(?:primary|danger)$/ || length $e->{text}{text} > 75 || length($e->{value} // '') > 2000
                || length $e->{action_id} > 255 || $ids{ $e->{action_id} }++;
            push @buttons, { label => $e->{text}{text}, value => $e->{value}, action_id => $e->{action_id}, block_id => $b->{block_id} };
        }
    }
    push @lines, $m->{text} if !@lines;
    my $text = join "\n", @lines;
    return ("msg_blocks_too_long: " . length $text) if length $text > 13200;
    return (undef, { text => $text, buttons => \@buttons });
}

sub refuse { my ($self, $word) = @_; $self->fault($word); return Chat::answer(200, { ok => JSON::PP::false, error => $word }) }

sub take {
    my ($self, $r, $body) = @_;
    return $self->take_response($1, $body) if $r->{path} =~ m{^/response/(\w+)$};
    my ($method) = $r->{path} =~ m{^/api/chat\.(postMessage|update)$} or return;
    return $self->refuse('invalid_auth') if ($r->{headers}{authorization} // '') ne "Bearer $self->{token}";
    return $self->refuse('invalid_json') if ref $body ne 'HASH' || $r->{headers}{'content-type'} !~ m{^application/json};
    return Chat::answer(429, { ok => JSON::PP::false, error => 'ratelimited' }, 'Retry-After' => 1) if $self->too_many;
    return $self->refuse('channel_not_found') if ($body->{channel} // '') ne $ROOM;
    my ($wrong, $m) = read_message($body);
    $wrong //= 'response_type' if exists $body->{response_type} || exists $body->{replace_original};
    return $self->refuse($wrong) if $wrong;
    my $ts = $body->{ts};
    if ($method eq 'update') {
        return $self->refuse('message_not_found') if !$self->edit($ts, $m);
    }
    else {
        $ts = sprintf '%d.%06d', time, 1 + $self->so_far;
        $self->add({ id => $ts, thread => $body->{thread_ts}, %$m });
    }
    return Chat::answer(200, { ok => JSON::PP::true, channel => $ROOM, ts => $ts });
}

# Five times, in half an hour.
sub take_response {
    my ($self, $id, $body) = @_;
    my $place = $self->use_place($id, 5) or return [ 404, {}, 'used_url' ];
    my ($wrong, $m) = read_message($body);
    return [ 400, {}, $self->fault("response_url: $wrong") || 'invalid_payload' ] if $wrong;
    return [ 400, {}, $self->fault('response_type') || 'invalid_payload' ] if ($body->{response_type} // '') !~ /^(?:ephemeral|in_channel)$/;
    my $open = ($body->{response_type} // '') eq 'in_channel';
    $self->fault('response_url: replaces the message') if $body->{replace_original};
    $self->add({ %$m, id => "r$id.$place->{uses}", $open ? () : (only => $place->{who}) });
    return [ 200, {}, 'ok' ];
}

# --- people ------------------------------------------------------------------------------------------------------

sub response_url { my ($self, $who) = @_; return "$self->{url}/response/" . $self->new_place($who, 1800) }

# The headers of what is sent so.
sub signed {
    my ($secret, $content, $at) = @_;
    $at //= time;
    return { 'Content-Type' => $content =~ /^\{/ ? 'application/json' : 'application/x-www-form-urlencoded', 'X-Slack-Request-Timestamp' => $at,
        'X-Slack-Signature' => 'v0=' . hmac_sha256_hex("v0:$at:$content", $secret) };
}

sub send_form {
    my ($self, $who, $content, %opt) = @_;
    return $self->deliver(signed($opt{secret} // $self->{secret}, $content, $opt{at}), $content, who => $who, %opt);
}

# Slack writes & < and > as entities before it sends what somebody typed.
sub type {
    my ($self, $who, $text, %opt) = @_;
    utf8::encode($text) if utf8::is_utf8($text);
    s/&/&amp;/g, s/</&lt;/g, s/>/&gt;/g for $text;
    return $self->send_form($who, Chat::form([ token => 'legacy' ], [ team_id => 'T1' ], [ team_domain => 'example' ], [ channel_id => $ROOM ],
        [ channel_name => 'dba' ], [ user_id => $self->id($who) ], [ user_name => $opt{display} // $who ], [ command => '/das' ],
        [ text => $text ], [ response_url => $self->response_url($who) ], [ trigger_id => $self->fresh ], [ api_app_id => 'A1' ]),
        what => 'command', %opt);
}

sub press {
    my ($self, $who, $message, $label, %opt) = @_;
    my $b = $self->button($message, $label);
    my $room = $opt{chat} // $ROOM;
    my $payload = $Chat::json->encode({ type => 'block_actions', api_app_id => 'A1', trigger_id => $self->fresh, team => { id => 'T1' },
        user => { id => $self->id($who), username => $opt{display} // $who, name => $opt{display} // $who }, channel => { id => $room, name => 'dba' },
        container => { type => 'message', message_ts => $message->{id}, channel_id => $room }, message => { ts => $message->{id} },
        response_url => $self->response_url($who), actions => [ { type => 'button', action_id => $b->{action_id}, block_id => $b->{block_id},
            value => $opt{value} // $b->{value}, action_ts => time . '.000001' } ] });
    return $self->send_form($who, Chat::form([ payload => $payload ]), what => 'press', %opt);
}

# The answer to a command is a message that only that person sees; of a press nothing is shown.
sub shown {
    my ($self, $said, %opt) = @_;
    return if $opt{what} ne 'command';
    my ($wrong, $m) = ref $said->{json} eq 'HASH' ? read_message($said->{json}) : (undef, { text => $said->{body} });
    $self->fault("answer: $wrong") if $wrong;
    return $m && $m->{text};
}

1;
