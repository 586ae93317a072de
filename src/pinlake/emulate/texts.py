"""The words that generated records consist of. All of them were written for this project."""

from __future__ import annotations

from typing import NamedTuple

from pinlake.topics import CATEGORIES


def _split(text: str) -> tuple[str, ...]:
    return tuple(text.split())


class Words(NamedTuple):
    """The words of one category. Titles and descriptions use the subjects, tag lists use the tags."""

    subjects: tuple[str, ...]
    tags: tuple[str, ...]


def _words(subjects: str, tags: str) -> Words:
    return Words(tuple(subjects.split("|")), tuple(tags.split("|")))


WORDS: dict[str, Words] = {
    "art": _words(
        "Watercolour Foxes|Ink Landscapes|Clay Portraits|Chalk Murals|Paper Collages|Charcoal Hands|Linocut Birds",
        "Sketchbook Pages|Colour Studies|Art Lessons|Drawing Practice|Palette Knife|Gallery Walls|Brush Lettering|"
        "Still Life|Figure Drawing|Art Journals|Pastel Work|Mixed Media|Studio Corner",
    ),
    "beauty": _words(
        "Evening Skin Routines|Short Bob Haircuts|Copper Eyeshadow|Honey Face Masks|Glossy Nails|Soft Brows",
        "Skin Care|Natural Glow|Nail Shapes|Curly Hair Care|Face Oils|Makeup Basics|Lip Tints|Hair Masks|"
        "Simple Braids|Sun Care|Bath Time|Make Up Brushes|Fresh Looks",
    ),
    "christmas": _words(
        "Felt Tree Ornaments|Gingerbread Villages|Porch Garlands|Advent Calendars|Snowflake Cards|Red Ribbon Wreaths",
        "Winter Windows|Tree Toppers|Holiday Baking|Gift Wrapping|Stocking Fillers|Mantel Ideas|Candle Light|"
        "Festive Table|Paper Stars|Snowy Evenings|Christmas Eve|Carol Night|Pine Cones",
    ),
    "diy-and-crafts": _words(
        "Pallet Shelves|Macrame Hangers|Tin Can Lanterns|Painted Pebbles|Rag Rugs|Cardboard Castles|Wool Pom-Poms",
        "Upcycling|Weekend Projects|Glue Gun|Craft Room|Kids Crafts|Paper Folding|Knitting|Sewing Basics|"
        "Wood Scraps|Mason Jars|Beadwork|Felt Animals|Yarn Ideas",
    ),
    "education": _words(
        "Fraction Games|Phonics Posters|Reading Corners|Science Jars|Spelling Bingo|Map Puzzles|Counting Songs",
        "Lesson Plans|Class Rules|Home Schooling|Number Lines|Story Time|Word Walls|Early Years|Sight Words|"
        "Maths Centres|Quiet Time|Book Lists|Learning By Play|School Days",
    ),
    "event-planning": _words(
        "Garden Weddings|Seating Charts|Birthday Brunches|Paper Invitations|Baby Shower Games|Picnic Tables",
        "Guest Lists|Party Budget|Table Numbers|Centrepieces|Photo Corners|Catering|Dress Codes|Save The Date|"
        "Fairy Lights|Party Favours|Toasts|Timelines|Outdoor Parties",
    ),
    "finance": _words(
        "Envelope Budgets|First Savings|Index Funds|Side Incomes|Debt Snowballs|Meal Plans On a Budget|Pension Basics",
        "Money Tips|Saving Goals|Frugal Days|No Spend Month|Emergency Fund|Compound Interest|Tax Time|Cash Flow|"
        "Family Budget|Pay Day|Thrift|Investing Basics|Money Mindset",
    ),
    "home-decor": _words(
        "Linen Curtains|Attic Bedrooms|Oak Kitchens|Reading Nooks|Small Hallways|Tiled Bathrooms|Open Shelves",
        "Cosy Rooms|Wall Colours|House Plants|Floor Lamps|Cushions|Vintage Finds|Entry Ways|Rugs|Bright Rooms|"
        "Storage Ideas|Rental Friendly|Farm House|Mirror Walls",
    ),
    "mens-fashion": _words(
        "Navy Suits|Denim Jackets|Chelsea Boots|Knit Ties|Linen Shirts|Field Watches|Wool Overcoats",
        "Street Style|Smart Casual|Menswear|Grooming|Capsule Wardrobe|Sneakers|Belts|Layering|Office Wear|"
        "Autumn Outfits|Tailoring|Pocket Squares|Weekend Bags",
    ),
    "quotes": _words(
        "Morning Words|Lines About Courage|Sayings On Patience|Notes To Self|Words For Friends|Thoughts On Rest",
        "Kind Words|Daily Thoughts|Motivation|Wisdom|Short Sayings|Love Lines|Hope|Letting Go|Gratitude|"
        "Strength|Sunday Thoughts|Good Advice|Wall Quotes",
    ),
    "tattoos": _words(
        "Fern Sleeves|Tiny Moons|Compass Lines|Wolf Sketches|Ankle Flowers|Minimal Mountains|Wave Bands",
        "Fine Line|Blackwork|First Tattoo|Forearm Ideas|Dot Work|Flash Sheets|Shoulder Pieces|Small Symbols|"
        "Ink Care|Old School|Botanical Ink|Matching Pairs|Back Pieces",
    ),
    "travel": _words(
        "Coastal Trains|Island Ferries|Old Town Walks|Desert Camps|Mountain Huts|Night Markets|City Bikes",
        "Packing Lists|Hidden Beaches|Road Trips|Solo Travel|Street Food|Budget Hotels|Travel Diary|Hiking|"
        "Weekend Away|Window Seat|Museums|Sunrise Spots|Lake Views",
    ),
    "vehicles": _words(
        "Vintage Scooters|Camper Vans|Rally Cars|Steam Tractors|Electric Bikes|Pickup Trucks|Open Roadsters",
        "Chrome|Engine Bay|Car Care|Classic Cars|Motorbikes|Wheel Rims|Garage Days|Test Drive|Off Road|Van Life|"
        "Paint Jobs|Dashboards|Workshop",
    ),
}
assert tuple(WORDS) == CATEGORIES

OPENINGS = (
    "", "", "", "", "12 Easy ", "Our Favourite ", "How To Start With ", "The Little Book Of ", "25 ", "Simple ",
    "Before & After: ", "Why We Love ", "A Beginner's Guide To ", "Slow ", "Step by Step: ", "Rainy Day ",
    "Идеи: ", "かわいい ", "100+ ", "\"Must See\" ",
)  # fmt: skip

ENDINGS = (
    "", "", "", " for Small Spaces", " You Can Make Today", " | Notes From The Workshop", " - a Short Guide", " 🎄",
    " ✨", " That Last", " (Free Printable)", " on a Tiny Budget", " в красках", " のアイデア", " 🌿🏡", " für alle",
    " We Keep Coming Back To", ", Part Two", " for Busy Weeks", " …and How They Age", " 한눈에", " أفكار",
)  # fmt: skip

LEADS = (
    "We spent the whole week on {}, and these are the ones that we would make again without a second thought. ",
    "Looking for {}? Here is what worked for us, what did not, and what it cost in the end, with pictures. ",
    "A friend asked about {} and the answer grew too long for a letter, so it became a page of its own 😊 ",
    "Everything that you need for {} is most likely in the house already: scissors, time and a good light. ",
    "{} — three versions, from the quick one to the one for patient people, each with a list of what to buy. ",
    "Save this for later! {} in ten steps, with the mistakes that we made so that nobody has to repeat them. ",
)

MIDDLES = (
    "Start small and keep notes, since the second try is always better than the first one. ",
    "The full list is on the page, with links to every part and a plan to print. ",
    "No special tools are needed, only an afternoon and somebody who makes the tea. ",
    "Readers sent in their own versions, and a few of them beat the original by far. ",
    "#ideas #inspiration #weekend #handmade #simpleliving #slowdays #tryathome ",
)

SHORT_DESCRIPTIONS = (
    "{}, and more on the page",
    "All about {} in one place.",
    "{} ❤",
    "Ideas for {}: save them for the weekend! #ideas",
    "{} • read on and tell us yours",
    "A closer look at {}, with a list of what to buy and a plan for two quiet evenings at home.",
)

POSTERS = (
    "Willow", "Harbour", "Juniper", "Copper", "Maple", "Saffron", "Otter", "Pebble", "Larkspur", "Meadow", "Thistle",
    "Ember", "Cobalt", "Clover", "Hazel", "Sparrow", "Linden", "Marble", "Quince", "Rowan", "Sorrel", "Tansy", "Umber",
    "Velvet", "Wren", "Yarrow", "Zephyr", "Amber", "Birch", "Cedar", "Damson", "Elder", "Fennel", "Ginger", "Heather",
    "Indigo", "Jasper", "Kestrel", "Lichen", "Mallow",
)  # fmt: skip

POSTER_STYLES = (
    "The {} House", "{} & Twine", "{} Studio", "{}", "{} | Home, Garden & Slow Living", "Notes by {}", "{} Diaries",
    "{} Paper Co.", "Life With {}", "{}, Ink & Thread", "{} Kitchen", "Miss {}", "{} Workshop | DIY, Crafts",
    "{} on the Road", "{} Daily", "Little {} ", "{}さん", "{} Collective", "{}'s Corner", "Plain {}", "{} 365",
    "{} Магазин", "All Things {}", "Hello {}", "{} and Sons", "Studio {} | Prints", "Old {} Lane", "{} Weekly",
    "The {} Edit", "{} by the Sea",
)  # fmt: skip

FIRST_NAMES = _split(
    """Aaron Abigail Adam Adrian Agnes Aisha Alan Albert Alexander Alice Alicia Alvin Amanda Amber Amir Amy Andrea
    Andrew Angela Anita Anna Anthony Antonio April Ariel Arthur Ashley Audrey Austin Ayesha Barbara Beatrice
    Benjamin Bernard Beth Bianca Blake Brandon Brenda Brian Bridget Bruce Caleb Calvin Camille Carla Carlos
    Caroline Catherine Cecilia Chad Charles Charlotte Chloe Christian Christina Claire Clara Connor Craig
    Cynthia Daisy Dale Daniel David Deborah Dennis Derek Diana Dominic Donna Dorothy Douglas Dylan Edith Edward
    Elaine Eleanor Elena Eli Elizabeth Ella Emily Emma Eric Erin Ethan Eva Evelyn Faith Felix Fiona Frances
    Frank Gabriel Gail George Georgia Gerald Gina Glenn Gloria Gordon Grace Graham Greta Hannah Harold Harriet
    Hassan Heather Helen Henry Holly Hugo Ian Ida Irene Isaac Isabel Ivan Jack Jacob Jade James Jane Janet Jason
    Jean Jennifer Jerome Jessica Joan Joel Jordan Joseph Joyce Juan Judith Julia Justin Karen Karl Kate Keith
    Kelly Kenneth Kevin Kim Kyle Laura Lauren Lee Leo Leslie Lily Linda Logan Lucas Lucy Luis Lydia Maria Mark
    Martha Martin Mary Mateo Maya Megan Michael Miriam Monica Nadia Nancy Naomi Nathan Nicole Nina Noah Nora
    Olga Oliver Olivia Omar Oscar Owen Pamela Patrick Paul Paula Pedro Peter Philip Rachel Ralph Rebecca Renee
    Richard Rita Robert Rosa Ruby Ruth Ryan Sabrina Samuel Sandra Sara Sean Sharon Simon Sofia Sonia Stella
    Stephen Susan Sylvia Tanya Tara Teresa Theo Thomas Tina Tracy Valerie Vera Victor Vincent Violet Walter
    Wendy William Yara Yusuf Zachary Zoe"""
)

_LAST_BEGINNINGS = _split(
    "Ald Apple Ash Ather Bar Black Brad Bram Brook Cald Carl Charl Chat Clif Cold Craw Crom Dal Dar Dun "
    "East Ed Ell Fair Far Gar Glad Had Hart Hath Holl Hunt Kirk Lang Long Mar Mel Mil New Nor Oak Pem Rad "
    "Red Rock Rush Sel Shel South Stan Stock Straf Sut Thorn Wake Wal War Whit Win Wood"
)
_LAST_ENDINGS = _split("bury by combe den field ford ham land ley more stone ton well wick worth")
LAST_NAMES = tuple(sorted(beginning + ending for beginning in _LAST_BEGINNINGS for ending in _LAST_ENDINGS))
