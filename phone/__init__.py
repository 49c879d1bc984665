"""The telephone: agents on SIP trunks, and everything below them.

`phone.Phone` puts agents on the line; `station.Station` is the same without agents;
`line.PhoneLine` is one call; `transport.PhoneTransport` carries a conversation over it.
`operator` calls others, within `policy`; `bridge` joins two lines; `opening` is what comes before
a greeting; `campaign` calls many. `audiosocket` and `chan_websocket` are ways in from an Asterisk.
`sip` (signalling) and `media` (RTP) are pure, but for their sockets.
"""

from vivavoce.phone.audiosocket import AudioSocket
from vivavoce.phone.board import Direction
from vivavoce.phone.chan_websocket import ChanWebSocket
from vivavoce.phone.exposure import Exposure, PhoneError
from vivavoce.phone.line import PhoneLine
from vivavoce.phone.lines import TelephoneLine
from vivavoce.phone.opening import Screen
from vivavoce.phone.phone import Phone, line_of
from vivavoce.phone.policy import Policy, Retries
from vivavoce.phone.sip.auth import Credentials
from vivavoce.phone.sip.decisions import Outcome
from vivavoce.phone.sip.session import Srtp
from vivavoce.phone.sip.trunk import Trunk
from vivavoce.phone.station import DialError, Station
from vivavoce.phone.voicemail import Answerer

__all__ = [
    "Answerer",
    "AudioSocket",
    "ChanWebSocket",
    "Credentials",
    "DialError",
    "Direction",
    "Exposure",
    "Outcome",
    "Phone",
    "PhoneError",
    "PhoneLine",
    "Policy",
    "Retries",
    "Screen",
    "Srtp",
    "Station",
    "TelephoneLine",
    "Trunk",
    "line_of",
]
