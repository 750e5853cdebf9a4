/** Of so many bids (auctions, bids) all but one go to the hot auction (come from the hot seller, the hot bidder). */
export const HOT_AUCTION_RATIO = 2;
export const HOT_SELLER_RATIO = 4;
export const HOT_BIDDER_RATIO = 4;

/** Each hundred people and each hundred auctions have hot ones of their own. */
export const HOT_BATCH = 100;

/** The others go to, or come from, one of the latest so many, evenly. */
export const IN_FLIGHT_AUCTIONS = 100;
export const ACTIVE_PEOPLE = 1000;
