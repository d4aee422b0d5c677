//! What a message costs on the mixnet, measured with the library at hand.

use nym_sphinx::anonymous_replies::SurbEncryptionKey;
use nym_sphinx::chunking::fragment::unlinked_fragment_payload_max_len;
use nym_sphinx::crypto::{PrivateKey, PublicKey};
use nym_sphinx::message::NymMessage;
use nym_sphinx::params::PacketSize;
use nym_sphinx::{
    Delay, Destination, DestinationAddressBytes, Node, NodeAddressBytes, SURBMaterial, SphinxError,
    DESTINATION_ADDRESS_LENGTH, IDENTIFIER_LENGTH, NODE_ADDRESS_LENGTH,
};
use rand::rngs::OsRng;

/// Hops on a SURB's path: three mix nodes and the gateway.
const HOPS: u8 = 4;

/// Bytes that one SURB takes in a message, measured on a sample, since it depends on the version of the format.
pub fn surb_bytes() -> Result<usize, SphinxError> {
    let node = |number| {
        let key = PublicKey::from(&PrivateKey::random_from_rng(OsRng));
        Node::new(NodeAddressBytes::from_bytes([number; NODE_ADDRESS_LENGTH]), key)
    };
    let address = DestinationAddressBytes::from_bytes([0; DESTINATION_ADDRESS_LENGTH]);
    let destination = Destination::new(address, [0; IDENTIFIER_LENGTH]);
    let delays = vec![Delay::new_from_nanos(0); HOPS.into()];
    let surb = SURBMaterial::new((0..HOPS).map(node).collect(), delays, destination).construct_SURB()?;
    Ok(SurbEncryptionKey::new(&mut OsRng).to_bytes().len() + surb.to_bytes().len())
}

/// Usable bytes of one packet, with what the SDK writes around a message.
pub fn packet_bytes() -> usize {
    let plaintext = NymMessage::new_plain(Vec::new()).available_sphinx_plaintext_per_packet(PacketSize::RegularPacket);
    unlinked_fragment_payload_max_len(plaintext)
}
